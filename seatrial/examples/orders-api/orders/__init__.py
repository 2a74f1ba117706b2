"""Serve orders over HTTP."""
