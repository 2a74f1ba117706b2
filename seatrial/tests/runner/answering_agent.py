"""A pod whose agent gives a fixed answer, and a request for a test run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seatrial.model.deadline import Deadline
from seatrial.model.names import RunId
from seatrial.ports import Completed, Started, StreamBroken
from seatrial.runner.request import Request


class Answers:
    """A pod whose agent gives one answer; `sent` is the input of the last command."""

    def __init__(self, stdout: bytes, *, stderr: bytes = b"", code: int = 0) -> None:
        self.answer = (stdout, stderr, code)
        self.sent = b""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        self.sent = stdin
        stdout, stderr, code = self.answer
        return Completed(argv=tuple(argv), code=code, stdout=stdout, stderr=stderr)

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        raise StreamBroken("not here")

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> Started:
        raise NotImplementedError

    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int:
        raise NotImplementedError

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        raise NotImplementedError


def request(root: Path, **more: Any) -> Request:
    """Return a request for a test run of a project."""
    values: dict[str, Any] = {
        "run": RunId("20260101-000000-0000"),
        "argv": ("pytest",),
        "root": root,
        "directory": "/app",
        "where": "here",
        "deadline": Deadline.after(60),
    }
    return Request(**{**values, **more})
