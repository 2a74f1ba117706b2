"""Return the values of Secrets among Kubernetes objects. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator

from seatrial.ports import Object

__all__ = ["secret_values"]


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
