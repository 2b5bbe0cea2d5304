"""Who owes an answer for which trigger, and how the answers leave."""
