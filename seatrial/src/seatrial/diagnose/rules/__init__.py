"""Find the causes of failures in the objects of a cluster, one module for each group of causes. No I/O."""
