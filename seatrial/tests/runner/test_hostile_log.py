"""Show forged logs: they decide what is shown, never what happens to other files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.frames import log
from runner.session_records import RECORDS, SESSION

_HOSTILE = st.sampled_from(
    [
        "~/planted", "../../planted", "/tmp/planted", "x\npythonpath = evil.zip", "evil", "-p evil", "~/.ssh/id_rsa",
        "\x1b]52;c;eA==\x07", "::error::x", "", "\0", "a\0b\0c", "TestReport", "exec", "__import__('os')", "yes", "no",
    ]
)  # fmt: skip
_JSON = st.recursive(
    _HOSTILE | st.none() | st.booleans() | st.integers(-5, 5) | st.just(10**15) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_HOSTILE, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = ["xmlpath", "pastebin", "pythonpath", "basetemp", "debug", "log_file", "junit_family", "console_output_style",
           "tbstyle", "verbose", "color", "longrepr", "sections", "filename", "nodeid", "when", "outcome"]  # fmt: skip


@st.composite
def _records(draw: st.DrawFn) -> list[Any]:
    record = json.loads(json.dumps(draw(st.sampled_from(RECORDS))))
    for _ in range(draw(st.integers(0, 2))):
        holder: Any = record
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if isinstance(holder, dict) and draw(st.booleans()):
                holder[draw(st.sampled_from(_FIELDS))] = draw(_JSON)
                break
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(holder[key], (dict, list)) and draw(st.booleans()):
                holder = holder[key]
                continue
            holder[key] = draw(_JSON)
            break
    return record  # type: ignore[no-any-return]


_DRIVER = """
import io, json, os, sys
from pathlib import Path
from seatrial.runner.renderer.rendering_session import run_host_session
end = json.dumps({"end": {"exit": 0, "message": "", "proven": True, "suspects": ["a"]}}) + "\\n"
shown = 0
for run in sorted(Path(sys.argv[1]).iterdir()):
    sys.stdin = io.StringIO(end)
    try:
        shown += run_host_session(json.loads((run / "renderer.json").read_text())) == 0
    except BaseException:
        pass
print("shown", shown, file=sys.stderr)
"""


def _everything(base: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in base.rglob("*")
        if not path.is_relative_to(base / "runs") and not path.name.endswith(".pyc") and path.name != "__pycache__"
    }


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(logs=st.lists(st.lists(st.lists(_records(), min_size=1, max_size=3), max_size=6), min_size=12, max_size=12))
def test_forged_log_changes_no_file_outside_of_the_run(
    tmp_path_factory: pytest.TempPathFactory, logs: list[list[list[Any]]]
) -> None:
    """Records have valid and invalid shapes and values; the renderer may fail."""
    base = tmp_path_factory.mktemp("forged")
    home, project = base / "home", base / "project"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_rsa").write_text("key")
    project.mkdir()
    (project / "evil.py").write_text(f"open({str(base / 'trapped')!r}, 'w')\n")
    (project / "conftest.py").write_text(f"open({str(base / 'trapped')!r}, 'w')\n")
    (project / "pytest.ini").write_text("[pytest]\naddopts = -p evil\n")
    for number, frames in enumerate(logs):
        run = base / "runs" / str(number)
        run.mkdir(parents=True)
        (run / "frames").write_bytes(b"".join(log([SESSION], *frames)))
        (run / "runner-output.log").write_bytes(b"\x1b]0;x\x07")
        values = {
            "frames": str(run / "frames"), "output": str(run / "runner-output.log"), "directory": str(run), "where": "",
            "junit": str(run / "junit.xml"), "junit_line": "", "reports": {}, "color": "no", "arguments": [],
            "reply": 2, "interactive": False,
        }  # fmt: skip
        (run / "renderer.json").write_text(json.dumps(values))
    before = _everything(base)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
    env |= {"HOME": str(home), "TMPDIR": str(base / "runs")}

    done = subprocess.run(
        [sys.executable, "-P", "-c", _DRIVER, str(base / "runs")],
        cwd=project,
        env=env,
        capture_output=True,
        check=False,
    )

    assert b"shown " in done.stderr.splitlines()[-1], done.stderr
    assert _everything(base) == before
    assert b"key" not in done.stdout
    assert not set(done.stdout) & set(b"\x1b\x07\x9b")
