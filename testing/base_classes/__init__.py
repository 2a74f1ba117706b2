"""Base classes of floe's tests."""
