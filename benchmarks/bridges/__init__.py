"""What the bridges add to an answer, what they take from the daemon, and whether a part ever passes without its own OK."""
