"""The live page: what people see of a station in a browser."""
