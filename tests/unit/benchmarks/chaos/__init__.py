"""Tests of how a chaos run is planned and reckoned."""
