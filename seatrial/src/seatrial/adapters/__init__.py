"""The world behind the ports: programs, the container engine, registries, Helm, the Kubernetes API, this machine."""
