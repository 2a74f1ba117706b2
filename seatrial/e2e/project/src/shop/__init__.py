"""The product under test, in a few lines."""

from __future__ import annotations

from urllib.request import urlopen


def stock(url: str) -> int:
    """Return how many items the shop says it has."""
    with urlopen(f"{url}/stock", timeout=5) as answer:
        return int(answer.read())
