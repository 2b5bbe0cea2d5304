"""The simulated line: rendered parts with exact truth, and a GenICam camera that shows them."""
