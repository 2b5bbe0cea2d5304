"""Scratches, dents, stains and burrs on rendered parts, with exact masks."""
