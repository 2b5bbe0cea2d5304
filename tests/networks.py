"""Small networks for tests: those of the benchmarks."""

from benchmarks.dots.networks import write_coarse, write_posed, write_refine

__all__ = ["write_coarse", "write_posed", "write_refine"]
