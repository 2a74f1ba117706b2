"""What floe's tests stand on: base classes, and the cluster and images that they run in."""
