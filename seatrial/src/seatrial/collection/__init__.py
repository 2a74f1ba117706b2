"""Copy container logs and Kubernetes objects from the cluster to the run directory."""
