"""Evidence in, causes out. No I/O."""
