"""Stages, for any input."""
