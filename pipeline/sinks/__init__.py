"""Consumers of results that ship with datumd; each uses only the public client."""
