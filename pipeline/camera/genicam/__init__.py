"""Cameras with a GenTL producer; `vendor.py` alone imports harvesters and genicam."""
