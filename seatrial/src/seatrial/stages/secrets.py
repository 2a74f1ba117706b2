"""Secrets in Kubernetes objects: which values they hold, and objects without them. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any, Final

from seatrial.model.redaction import HIDDEN
from seatrial.ports import Object

__all__ = ["secret_values", "without_secrets"]

_WHOLE: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that hold an object as it was sent."""


def secret_values(objects: Iterable[Object]) -> Iterator[str]:
    """Yield the values of all Secrets among objects, as a program would read them."""
    for each in objects:
        if each.get("kind") != "Secret":
            continue
        yield from map(str, (each.get("stringData") or {}).values())
        for value in (each.get("data") or {}).values():
            try:
                yield base64.b64decode(str(value)).decode()
            except (binascii.Error, ValueError):
                yield str(value)


def without_secrets(value: Any) -> Any:
    """Return an object with the values of environment variables and copies of former objects hidden."""
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _hidden(name, each) for name, each in value.items()}


def _hidden(name: str, value: Any) -> Any:
    if name == "env" and isinstance(value, list):
        return [{**each, "value": HIDDEN} if isinstance(each, dict) and each.get("value") else each for each in value]
    return HIDDEN if name in _WHOLE else without_secrets(value)
