"""The TCP line protocol: one ASCII line per trigger and per result, for controllers that have nothing else."""
