"""Orders, by HTTP."""
