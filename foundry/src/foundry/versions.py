"""Versions of programs, and which of them will do."""

from __future__ import annotations

import re

_VERSION = re.compile(r"(?<![\d.])v?(?:go)?(\d+)\.(\d+)(?:\.(\d+))?")


def parse(text: str) -> tuple[int, ...]:
    """The first version number in what a program printed; empty when there is none."""
    found = _VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def accepts(requirement: str, version: tuple[int, ...]) -> bool:
    """Whether a version meets a requirement such as `>=3.18`, `==1.34` (any 1.34.x) or `>=3.18,<5`."""
    if not version:
        return False
    for part in requirement.split(","):
        match = re.fullmatch(r"\s*(>=|==|<)\s*v?([\d.]+)\s*", part)
        if not match:
            raise ValueError(f"{part!r} is no version requirement")
        wanted = tuple(int(number) for number in match[2].split("."))
        same = version[: len(wanted)] == wanted
        if (match[1], True) not in {("==", same), (">=", version >= wanted), ("<", version < wanted)}:
            return False
    return True


def show(version: tuple[int, ...]) -> str:
    """A version as people write it."""
    return ".".join(str(part) for part in version)
