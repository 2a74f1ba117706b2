"""Measure the speed of seatrial against the commands that it replaces: `python -m benchmarks`, or `make bench`."""
