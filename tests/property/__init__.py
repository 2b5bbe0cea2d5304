"""Tests of arithmetic over generated values."""
