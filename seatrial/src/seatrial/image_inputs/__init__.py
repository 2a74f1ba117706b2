"""Decide which files an image depends on, and which changed files may be sent to a running pod instead. Pure."""
