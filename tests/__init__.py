"""The tests: unit and property mirror modules, process runs real processes."""
