"""Run a pytest suite inside an ephemeral Kubernetes cluster, against the Helm charts that production uses."""

__all__ = ["__version__"]

__version__ = "0.1.0"
