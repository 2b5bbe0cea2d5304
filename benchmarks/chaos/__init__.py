"""A station whose processes are killed at random, reconciled with the simulated line's own log."""
