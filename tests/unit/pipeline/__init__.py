"""Tests of the modules of pipeline."""
