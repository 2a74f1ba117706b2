"""Logs as the agent writes them, for tests."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any


def log(*frames: list[Any]) -> list[bytes]:
    """Return the lines of a log of these frames."""
    return [line(number, records) for number, records in enumerate(frames)]


def line(number: int, records: list[Any]) -> bytes:
    """Return one line."""
    body = json.dumps(records).encode()
    return b"%d %d %08x %b\n" % (number, len(body), zlib.crc32(body), body)


SESSION: list[Any] = ["session", {"version": 1}]


def one_test(nodeid: str, outcome: str = "passed") -> list[list[Any]]:
    """Return the frames of a test."""
    call: list[Any] = ["r", nodeid, "c", 0.1, 1.0, 1.1]
    if outcome != "passed":
        call = ["report", {"nodeid": nodeid, "when": "call", "outcome": outcome, "duration": 0.1}]
    return [
        [["s", nodeid, ["a.py", 1, "x"]]],
        [["R", nodeid, ["a.py", 1, "x"], [], 0.1, 1.0, 1.1], call],
        [["r", nodeid, "t", 0.1, 1.0, 1.1], ["f", nodeid]],
    ]


def tally(**outcomes: int) -> dict[str, int]:
    """Return what pytest counted: `passed=2` are two tests that passed, in three phases each."""
    total = sum(outcomes.values())
    return {
        "setup/passed/": total,
        **{f"call/{outcome}/": count for outcome, count in outcomes.items()},
        "teardown/passed/": total,
    }


def whole(
    frames: list[list[Any]], *, exit_code: int, collected: int, counted: dict[str, int], **more: Any
) -> list[bytes]:
    """Return the lines of a log with its end."""
    lines = log(*frames)
    end = {
        "frames": len(lines),
        "sha256": hashlib.sha256(b"".join(lines)).hexdigest(),
        "exit": exit_code,
        "collected": collected,
        "collect_only": False,
        "tally": counted,
        "seconds": 1.5,
        **more,
    }
    return [*lines, line(len(lines), [["end", end]])]


def green() -> list[bytes]:
    """Return the log of a session with two tests that passed."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("a.py::x"), *one_test("a.py::y")]
    return whole(frames, exit_code=0, collected=2, counted=tally(passed=2))


EXITED: dict[str, Any] = {
    "code": 0, "signal": None, "error": "", "sessions": 1, "oom_kills": 0, "memory_peak": 0, "memory_limit": 0,
}  # fmt: skip
