"""The runner pod in the cluster, pods like it, and the service probes that run in it."""
