"""Kinds of environments: which stages, in which order, over which ports."""
