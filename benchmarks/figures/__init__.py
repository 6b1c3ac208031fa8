"""One module a benchmark: each measures, and returns figures."""
