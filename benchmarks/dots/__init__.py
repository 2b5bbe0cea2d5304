"""Small recipes made without training, for tests and benchmarks: parts are four bright dots on a dark ground."""
