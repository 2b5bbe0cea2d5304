"""Modbus TCP: the handshake that PLC programmers know, its registers, its server."""
