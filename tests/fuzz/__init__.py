"""Everything that comes from outside, fed with what nobody would write: `python -m tests.fuzz --help`."""
