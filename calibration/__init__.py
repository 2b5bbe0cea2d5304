"""Tools that write what the pipeline reads: thresholds, lens, plane, ranges."""
