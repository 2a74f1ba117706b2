"""The seed's test flow: cluster, images, release, tests in a pod, results on the host. Standard library only."""
