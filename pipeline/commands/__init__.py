"""The commands of `datumd`, one module each."""
