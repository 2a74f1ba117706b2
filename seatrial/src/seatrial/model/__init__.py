"""Frozen values that every other layer uses. No I/O; the standard library and msgspec only."""
