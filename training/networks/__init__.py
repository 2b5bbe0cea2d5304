"""Networks; sizes appear only in their builder functions."""
