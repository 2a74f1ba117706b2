"""Frozen values that every other layer speaks in. No I/O; the standard library and msgspec only."""
