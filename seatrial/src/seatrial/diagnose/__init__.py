"""Find the causes of failures in Kubernetes objects, and the stages that a run's duration consists of. No I/O."""
