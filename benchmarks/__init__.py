"""Measurements of the product, each a module that prints one table and holds its figures to benchmarks/budgets.toml."""
