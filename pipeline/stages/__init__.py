"""The steps of an inspection: pure callables on frozen values, strangers to each other."""
