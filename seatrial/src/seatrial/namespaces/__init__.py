"""Namespaces of an environment: who owns them, who works in them, what limits their pods and confines the tests."""
