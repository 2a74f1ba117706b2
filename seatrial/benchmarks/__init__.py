"""How fast the tool is beside the commands that it replaces: `python -m benchmarks`, or `make bench`."""
