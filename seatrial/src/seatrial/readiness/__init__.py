"""Judge Kubernetes objects: whether a workload is ready, and if not, what it waits for and what is wrong. No I/O."""
