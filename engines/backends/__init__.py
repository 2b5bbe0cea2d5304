"""One file per inference library; the library is imported nowhere else."""
