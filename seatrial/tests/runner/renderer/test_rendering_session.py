from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from runner.frames import log
from runner.session_records import SESSION, loud


def shown(tmp_path: Path, frames: list[list[Any]], control: bytes = b"") -> tuple[str, int]:
    """Return what the process prints for a log, and the most memory that it had, in MB."""
    (tmp_path / "frames").write_bytes(b"".join(log(*frames)))
    (tmp_path / "output").write_bytes(b"")
    reader, writer = os.pipe()
    settings = {"frames": str(tmp_path / "frames"), "output": str(tmp_path / "output"), "directory": str(tmp_path),
                "where": "here", "junit": str(tmp_path / "j.xml"), "junit_line": "", "reports": {}, "color": "no",
                "arguments": [], "reply": writer, "interactive": False}  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    end = {"end": {"exit": 12, "proven": False, "message": "it died", "reason": "of hunger", "suspects": []}}
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "seatrial.runner.renderer", str(tmp_path / "settings.json")], stdin=subprocess.PIPE,
            stdout=out, stderr=subprocess.STDOUT, pass_fds=(writer,),
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(control or json.dumps(end).encode() + b"\n")
        process.stdin.close()
        most = 0
        while process.poll() is None:
            most = max(most, _high_water(process.pid))
            time.sleep(0.01)
    os.close(reader)
    os.close(writer)
    assert process.returncode == 0, (tmp_path / "out").read_text()
    return (tmp_path / "out").read_text(), most


def _high_water(pid: int) -> int:
    """Return the most memory of a process so far, in MB; `ru_maxrss` would count its parent's before `exec` too."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM")), default=0)


def test_output_of_shown_reports_is_not_kept_in_memory(tmp_path: Path) -> None:
    """It is read again from the log on access."""
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir()
    many.mkdir()

    _, little = shown(few, [[SESSION], *(loud(number, 100) for number in range(1500))])
    text, much = shown(many, [[SESSION], *(loud(number, 5000) for number in range(1500))])

    assert "1500 passed" in text
    assert (many / "frames").stat().st_size > 20 << 20
    assert much - little < 8


def test_session_without_an_end_record_is_shown_with_its_reason(tmp_path: Path) -> None:
    text, _ = shown(tmp_path, [[SESSION], loud(1, 3)])

    assert "!! seatrial: it died !!" in text
    assert "1 passed" in text


def test_renderer_ends_when_its_input_ends(tmp_path: Path) -> None:
    text, _ = shown(tmp_path, [[SESSION], loud(1, 3)], control=b'{"frames": 1000000, "output": 0}\n')

    assert "!! seatrial: the run was abandoned !!" in text
    assert "1 passed" in text
