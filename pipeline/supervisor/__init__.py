"""Starts, watches and restarts the processes."""
