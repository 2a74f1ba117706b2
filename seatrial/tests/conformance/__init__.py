"""pytest from a pod looks like pytest."""
