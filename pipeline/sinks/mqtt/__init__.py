"""MQTT: results, the state and what is missed, as JSON at a broker."""
