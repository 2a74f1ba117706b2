"""Record what is created for an environment, decide whether it is kept, and remove it."""
