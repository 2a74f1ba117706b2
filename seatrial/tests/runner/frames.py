"""Frame logs as the agent writes them, and the verdicts on them."""

from __future__ import annotations

import json
import zlib
from typing import Any

from seatrial.model.verdict import Verdict
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import FrameReader
from seatrial.runner.verdict_rules import Evidence, decide


def log(*frames: list[Any]) -> list[bytes]:
    """Return the lines of a log of these frames."""
    lines, crc = [], 0
    for number, records in enumerate(frames):
        body = json.dumps(records).encode()
        crc = zlib.crc32(body, crc)
        lines.append(b"%d %d %08x %b\n" % (number, len(body), crc, body))
    return lines


def line(records: list[Any]) -> bytes:
    """Return the line of a first frame."""
    return log(records)[0]


SESSION: list[Any] = ["session", {"version": 1}]


def one_test(nodeid: str, outcome: str = "passed") -> list[list[Any]]:
    """Return the frames of a test."""
    start: list[Any] = ["s", f"{nodeid}\0a.py\0x", 1]
    if outcome == "passed":
        return [[start], [["p", "kw\0other", 100, 1, 100, 2]], [["t", 100, 3]]]
    phases = {"setup": "passed", "call": outcome, "teardown": "passed"}
    reports = [
        ["report", {"nodeid": nodeid, "when": when, "outcome": each, "duration": 0.1}] for when, each in phases.items()
    ]
    return [[start], *([report] for report in reports), [["f", nodeid]]]


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
    end = {
        "frames": len(frames),
        "exit": exit_code,
        "collected": collected,
        "collect_only": False,
        "tally": counted,
        "seconds": 1.5,
        **more,
    }
    return log(*frames, [["end", end]])


def green() -> list[bytes]:
    """Return the log of a session with two tests that passed."""
    frames = [[SESSION], [["collected", 2, 2, [], []]], *one_test("a.py::x"), *one_test("a.py::y")]
    return whole(frames, exit_code=0, collected=2, counted=tally(passed=2))


EXITED: dict[str, Any] = {
    "code": 0, "signal": None, "error": "", "sessions": 1, "oom_kills": 0, "usage": {}, "memory_limit": 0,
}  # fmt: skip


def verdict_on(lines: list[bytes], exited: dict[str, Any] | None = EXITED, **more: Any) -> Verdict:
    """Return the verdict on a run with this log, exit and other evidence."""
    reader, progress = FrameReader(), Progress()
    for frame in reader.feed(b"".join(lines)):
        progress.take(frame)
    return decide(Evidence(progress=progress, broken=reader.broken, exited=exited, **more))


def exited(**changes: Any) -> dict[str, Any]:
    """Return the exit of a passed run with changes."""
    return {**EXITED, **changes}
