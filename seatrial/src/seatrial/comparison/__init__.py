"""Compare two environments by their recorded runs: find the differences, explain them, decide the verdict. Pure."""
