"""Finding a part again by classical matching: no network, one photograph."""
