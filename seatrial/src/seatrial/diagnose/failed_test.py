"""A failed test as blame sees it: its interval, its error, and which services it asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

__all__ = ["FailedTest", "error_of"]

_LONGEST: Final = 1 << 14
"""Characters of an error that are searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTest:
    """A test that failed, or had an error in set-up or tear-down.

    Attributes:
        nodeid: node id in pytest.
        begin: start of its set-up, by the clock of this machine.
        end: when its failure was reported, by the same clock.
        error: messages of its exception and of those that caused it.
        services: names of configured services that it asked for.
        namespaces: isolated namespaces that were created for it.
        addresses: URLs and `host:port` that its exception concerns.
        answers: status and URL of HTTP responses that it had when it failed.
    """

    nodeid: str
    begin: datetime
    end: datetime
    error: str = ""
    services: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    answers: tuple[tuple[int, str], ...] = ()


def error_of(longrepr: Any) -> str:
    """Return the messages of an exception from its representation in a report, without source code."""
    if isinstance(longrepr, str):
        return longrepr[-_LONGEST:]
    if isinstance(longrepr, list | tuple):
        return str(longrepr[-1])[-_LONGEST:] if longrepr else ""
    lines = list(dict.fromkeys(_lines(longrepr))) if isinstance(longrepr, dict) else []
    return "\n".join(lines)[-_LONGEST:]


def _lines(longrepr: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that pytest marks with `E`, of all exceptions of a chain, the last one last."""
    chain = longrepr.get("chain")
    links = chain if isinstance(chain, list) else [[longrepr.get("reprtraceback"), longrepr.get("reprcrash")]]
    for link in links:
        traceback, crash = (*link, None, None)[:2] if isinstance(link, list) else (None, None)
        entries = traceback.get("reprentries") if isinstance(traceback, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            data = entry.get("data") if isinstance(entry, dict) else None
            for line in (data.get("lines") or ()) if isinstance(data, dict) else ():
                if isinstance(line, str) and line.startswith("E "):
                    yield line[2:].strip()
        if isinstance(crash, dict) and isinstance(crash.get("message"), str):
            yield crash["message"]
