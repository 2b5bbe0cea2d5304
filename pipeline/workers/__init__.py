"""The processes that do the work, each a `main(context, stop)` with one loop."""
