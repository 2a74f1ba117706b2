"""Objects in, verdicts out: whether what a release brought is ready, and if not, what it waits for. No I/O."""
