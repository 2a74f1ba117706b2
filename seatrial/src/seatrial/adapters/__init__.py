"""Implement the ports: programs, the container engine, registries, Helm, the Kubernetes API and this machine."""
