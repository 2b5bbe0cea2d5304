"""What `datumd doctor` looks at: a station's machine, from its cameras' links to its disk."""
