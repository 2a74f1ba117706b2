"""Forward local ports to the Services of a cluster."""
