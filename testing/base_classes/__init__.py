"""Contain base classes of floe's tests."""
