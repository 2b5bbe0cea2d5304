"""Cross-validation on photographs, which are not in the repository."""
