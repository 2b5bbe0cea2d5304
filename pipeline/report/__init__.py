"""What a span of production was like, out of the journal."""
