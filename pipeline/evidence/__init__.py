"""The images worth keeping: which ones, under which names, in which form, and for how long."""
