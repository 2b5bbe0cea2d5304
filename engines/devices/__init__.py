"""Where images live and the few operations on them."""
