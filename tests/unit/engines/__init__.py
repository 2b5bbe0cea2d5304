"""Tests of the modules of engines."""
