"""The product under test."""

from __future__ import annotations

from urllib.request import urlopen


def stock(url: str) -> int:
    """Return the number of items that the shop reports."""
    with urlopen(f"{url}/stock", timeout=5) as answer:
        return int(answer.read())
