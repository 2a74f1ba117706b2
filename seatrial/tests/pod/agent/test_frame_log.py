"""The writer of the log, when things go wrong around it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from seatrial.pod.agent.frame_log import FrameWriter
from seatrial.runner.protocol import FrameReader


def records(path: Path) -> list[list[Any]]:
    reader = FrameReader()
    found = [record for frame in reader.feed(path.read_bytes()) for record in frame.records]
    assert not reader.broken
    return found


def test_interrupted_write_loses_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before the write or behind it: the frame is there once."""
    path = tmp_path / "frames"
    out = FrameWriter(str(path))
    write = os.write

    def before(_fd: int, _data: bytes) -> int:
        raise KeyboardInterrupt

    def behind(fd: int, data: bytes) -> int:
        write(fd, data)
        raise KeyboardInterrupt

    for number, interrupted in enumerate((before, behind)):
        out.add(f'["count",{number},{number}]')
        monkeypatch.setattr(out, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            out.flush()
        monkeypatch.setattr(out, "_write", write)
        out.flush()

    assert records(path) == [["count", 0, 0], ["count", 1, 1]]


def test_full_disk_breaks_the_log_without_an_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written any more, so no end record is: the run cannot be called green."""
    path = tmp_path / "frames"
    out = FrameWriter(str(path))

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    out.add('["x"]')
    monkeypatch.setattr(out, "_write", full)
    out.flush()
    monkeypatch.undo()
    out.add('["y"]')
    out.flush()

    assert "No space left" in out.broken
    assert path.read_bytes() == b""


def test_alone_writes_a_separate_frame(tmp_path: Path) -> None:
    """A record may overtake those that wait."""
    path = tmp_path / "frames"
    out = FrameWriter(str(path))
    out.add('["looped"]')
    out.alone('["collecting"]')
    out.flush()

    assert records(path) == [["collecting"], ["looped"]]
