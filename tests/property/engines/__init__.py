"""Devices, for any map."""
