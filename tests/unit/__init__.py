"""Tests of one module each, in the place of the module."""
