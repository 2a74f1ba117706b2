"""Contain the base classes, cluster configuration and images of floe's tests."""
