"""The stages of a Compose environment that differ from those of Kubernetes, one in each file."""

from seatrial.stages.compose import collect, install, preflight, ready, test

__all__ = ["collect", "install", "preflight", "ready", "test"]
