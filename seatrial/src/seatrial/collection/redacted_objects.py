"""Hide the values of environment variables in Kubernetes objects that are written to a bundle. Pure."""

from __future__ import annotations

from typing import Any, Final

from seatrial.model.redaction import HIDDEN

__all__ = ["without_secrets"]

_WHOLE: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that contain a copy of the object as it was sent."""


def without_secrets(value: Any) -> Any:
    """Return an object with the values of environment variables and copies of the sent object hidden."""
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _hidden(name, each) for name, each in value.items()}


def _hidden(name: str, value: Any) -> Any:
    if name == "env" and isinstance(value, list):
        return [{**each, "value": HIDDEN} if isinstance(each, dict) and each.get("value") else each for each in value]
    return HIDDEN if name in _WHOLE else without_secrets(value)
