"""What measurements are worth, against exact mm: parts through the whole daemon, and verdicts near a limit."""
