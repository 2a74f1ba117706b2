"""Releases and manifests: render them, compare them with the cluster, apply them and revert manual changes."""
