"""The daemon: cameras, frame ring, stages, ledger, workers, supervisor and sinks."""
