"""The PLC's side of the Modbus handshake, for commissioning without hardware."""
