"""Shared memory in which frames wait: its layout and its handle."""
