"""Archived parts inspected again: why a verdict was as it was, what is otherwise now, and what another recipe would say."""
