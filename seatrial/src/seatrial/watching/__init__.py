"""Watch the cluster: live snapshots of objects, and workloads judged until they are ready or have failed."""
