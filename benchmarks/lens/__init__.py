"""Lenses that are known, calibrated from rendered boards."""
