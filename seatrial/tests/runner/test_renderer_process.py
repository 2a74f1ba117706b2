"""Start the renderer for hostile logs in a hostile project: it runs none of its code and reads none of its files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from seatrial.model.deadline import Deadline
from seatrial.model.errors import ExitCode
from seatrial.model.names import RunId
from seatrial.model.verdict import Verdict
from seatrial.runner.protocol import FrameReader
from seatrial.runner.renderer_process import RendererProcess
from seatrial.runner.request import Request

from runner.frames import log
from runner.session_records import SESSION, loud

PROVEN = Verdict(exit=ExitCode.PASSED, message="all tests passed", proven=True)


def request(root: Path, **more: Any) -> Request:
    return Request(
        run=RunId("20260101-000000-0000"), argv=(), root=root, directory="/app", where="here",
        deadline=Deadline.after(60), **more,
    )  # fmt: skip


def render(tmp_path: Path, frames: bytes, *, output: bytes = b"", host_args: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return the output of the renderer for a log, and why it is incomplete."""
    project, run_dir = tmp_path / "project", tmp_path / "run"
    run_dir.mkdir(exist_ok=True)
    (run_dir / "frames").write_bytes(frames)
    (run_dir / "runner-output.log").write_bytes(output)
    reader = FrameReader(blobs=True)
    reader.feed(frames)
    out = io.StringIO()
    with RendererProcess("x", request(project), run_dir=run_dir, out=out, host_args=host_args) as renderer:
        lost = renderer.end(PROVEN, frames=reader.frames, until=lambda: False)
    return out.getvalue(), lost


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project full of files that Python or pytest would run or read, with its directory as the working directory."""
    found = tmp_path / "project"
    found.mkdir()
    trap = f"open({str(tmp_path / 'trapped')!r}, 'a').write(__name__ + '\\n')\n"
    for name in ("json", "conftest", "sitecustomize", "usercustomize", "os", "pytest", "msgspec", "evil", "_pytest"):
        (found / f"{name}.py").write_text(trap)
    (found / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = -p evil\n")
    with zipfile.ZipFile(found / "evil.zip", "w") as archive:
        archive.writestr("json.py", trap)
    for name, value in {
        "PYTEST_ADDOPTS": "-p evil", "PYTEST_PLUGINS": "evil", "PYTHONPATH": str(found), "PYTHONSTARTUP": "evil.py",
        "PYTHONBREAKPOINT": "evil.x", "PYTHONWARNINGS": "error", "PYTEST_DEBUG": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(found)
    return found


@pytest.mark.usefixtures("project")
def test_renderer_imports_and_reads_nothing_of_the_project(tmp_path: Path) -> None:
    text, lost = render(tmp_path, b"".join(log([SESSION], loud(1, 3))))

    assert lost == ""
    assert "1 passed" in text
    assert not (tmp_path / "trapped").exists(), (tmp_path / "trapped").read_text()


@pytest.mark.usefixtures("project")
def test_renderer_reads_no_file_that_a_warning_names(tmp_path: Path) -> None:
    """Python shows the source line of a warning, which it reads from any file."""
    (tmp_path / "secret").write_text("the key\n")
    warning = {
        "text": "w", "category": "exec", "module": "m", "filename": str(tmp_path / "secret"), "lineno": 1, "line": "",
        "suffix": "", "when": "runtest", "nodeid": "a.py::x", "location": None,
    }  # fmt: skip
    finish = [["finishing", 0, "", ""], ["end", {"frames": 3, "exit": 0, "collected": 1, "collect_only": False,
                                                 "tally": {}, "seconds": 1.0}]]  # fmt: skip
    text, lost = render(tmp_path, b"".join(log([SESSION], [["warning", warning]], loud(1, 3), finish)))

    assert lost == ""
    assert "exec: w" in text
    assert "the key" not in text


@pytest.mark.usefixtures("project")
def test_renderer_prints_output_of_tests_without_escape_sequences(tmp_path: Path) -> None:
    output = b"\x1b]52;c;eA==\x07clip\r\n\x1b[32mgreen\x1b[0m\n" + "\x9b2J".encode() + b"10%\r20%\n"

    text, lost = render(tmp_path, b"".join(log([SESSION], loud(1, 3))), output=output)

    assert lost == ""
    assert "\\x1b]52;c;eA==\\x07clip\n\x1b[32mgreen\x1b[0m\n\\x9b2J10%\n20%\n" in text


@pytest.mark.parametrize(
    ("frames", "host_args", "reason"),
    [
        ([[SESSION], [["report", {"nodeid": "a", "when": "call", "outcome": "failed", "longrepr": {"x": 1}}]]], (),
         "ended with 1"),
        ([[SESSION], [["report", {"nodeid": "a", "outcome": "failed", "when": "call", "location": ["a", 1, "b"],
                                  "longrepr": {"reprcrash": 1, "reprtraceback": {"reprentries": 3}, "sections": 1},
                                  "$report_type": "TestReport"}]]], (), "ended with 1"),
        ([[SESSION], loud(1, 3)], ("--no-such-option",), "ended with 4"),
        ([[SESSION], loud(1, 3)], ("--version",), "ended with 1"),
    ],
    ids=["shape", "traceback", "unknown option", "option that ends it"],
)  # fmt: skip
@pytest.mark.usefixtures("project")
def test_end_returns_why_the_renderer_failed(
    tmp_path: Path, frames: list[list[Any]], host_args: tuple[str, ...], reason: str
) -> None:
    _, lost = render(tmp_path, b"".join(log(*frames)), host_args=host_args)

    assert reason in lost


def test_end_returns_the_signal_that_killed_the_renderer(tmp_path: Path) -> None:
    (tmp_path / "frames").write_bytes(b"")
    (tmp_path / "runner-output.log").write_bytes(b"")
    with RendererProcess("x", request(tmp_path), run_dir=tmp_path, out=io.StringIO(), host_args=()) as renderer:
        renderer._process.kill()
        renderer._process.wait()
        assert renderer.end(PROVEN, frames=0, until=lambda: False) == "signal 9 ended it"
