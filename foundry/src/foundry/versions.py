"""Parse program versions and compare them with requirements."""

from __future__ import annotations

import re

_VERSION = re.compile(r"(?<![\d.])v?(?:go)?(\d+)\.(\d+)(?:\.(\d+))?")


def parse(text: str) -> tuple[int, ...]:
    """Return the first version number in a program's output; empty if the output has no number."""
    found = _VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def accepts(requirement: str, version: tuple[int, ...]) -> bool:
    """Return whether a version meets a requirement such as `>=3.18`, `==1.34` (any 1.34.x) or `>=3.18,<5`."""
    if not version:
        return False
    for part in requirement.split(","):
        match = re.fullmatch(r"\s*(>=|==|<)\s*v?([\d.]+)\s*", part)
        if not match:
            raise ValueError(f"{part!r} is not a version requirement")
        wanted = tuple(int(number) for number in match[2].split("."))
        same = version[: len(wanted)] == wanted
        if (match[1], True) not in {("==", same), (">=", version >= wanted), ("<", version < wanted)}:
            return False
    return True


def format_version(version: tuple[int, ...]) -> str:
    """Format a version as a dotted string."""
    return ".".join(str(part) for part in version)
