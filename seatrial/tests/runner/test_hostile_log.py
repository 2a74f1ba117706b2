"""A frame log that tests forged: it decides what is shown, never what the machine does."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seatrial.model.deadline import Deadline
from seatrial.model.errors import ExitCode
from seatrial.model.names import RunId
from seatrial.model.verdict import Verdict
from seatrial.runner.decoder import DEEPEST, Malformed, decode_answer, decode_exited, decode_probe, decode_records
from seatrial.runner.protocol import LONGEST_FRAME, ChunkReader, FrameReader, Garbled
from seatrial.runner.renderer_process import RendererProcess
from seatrial.runner.request import Request

from runner.frames import line, log
from runner.test_renderer import SESSION, loud


def broken_by(*records: list[Any]) -> str:
    reader = FrameReader(blobs=True)
    reader.feed(line(list(records)))
    return reader.broken


def session(**changes: Any) -> list[Any]:
    info: dict[str, Any] = {**SESSION[1], **changes}
    return ["session", info]


# What the decoder takes.


@pytest.mark.parametrize(
    "record",
    [
        session(ini={"console_output_style": "progress\npythonpath = /evil.zip"}),
        session(ini={"console_output_style": "progress\n"}),
        session(ini={"pythonpath": "/evil.zip"}),
        session(ini={"junit_family": "../../x"}),
        session(options={"xmlpath": "~/.git/hooks/pre-commit"}),
        session(options={"pastebin": "all"}),
        session(options={"basetemp": "/home"}),
        session(options={"tbstyle": "auto\nx"}),
        session(options={"verbose": "1"}),
        session(options={"verbose": 1 << 40}),
        session(terminal="yes"),
        session(more=1),
        session(version=2),
        ["session"],
        ["session", SESSION[1], 1],
        ["unknown", 1],
        ["deselected", 10**12],
        ["deselected", -1],
        ["collect", {"nodeid": "a", "outcome": "passed"}, 10**12],
        ["collected", 1, 1, [[]], []],
        ["s", "no cut", 1],
        ["s", "a\0b\0c\0d", 1],
        ["p", "kw", 1, 2, 3, "4"],
        ["report", {"nodeid": 1, "when": "call", "outcome": "passed"}],
        ["report", {"outcome": "passed"}],
        ["report", {"nodeid": "a", "outcome": "passed"}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "skipped", "longrepr": ["only", "two"]}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "passed", "sections": [["name", {"$blob": "x"}]]}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "passed"}, {"status": ["a", "b", ["c"]]}],
        ["attribute", "a", 'x"><evil', "y"],
        ["end", {"frames": 1}],
        ["o", -1],
    ],
    ids=lambda record: json.dumps(record)[-60:],
)
def test_decoder_refuses_a_record_that_the_agent_does_not_write(record: list[Any]) -> None:
    assert "has no valid records" in broken_by(record)


@pytest.mark.parametrize("depth", [DEEPEST + 10, 5_000, 1_000_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "mappings"])
def test_decoder_refuses_deep_nesting(depth: int, brackets: tuple[bytes, bytes]) -> None:
    """Not a RecursionError, which no handler expects."""
    nested = brackets[0] * depth + b"1" + brackets[1] * depth
    body = b'[["report",{"nodeid":"a","when":"call","outcome":"passed","keywords":{"k":' + nested + b"}}]]"
    with pytest.raises(Malformed):
        decode_records(body)


def test_decoder_refuses_millions_of_values_before_it_makes_them() -> None:
    body = (
        b'[["report",{"nodeid":"a","when":"call","outcome":"passed","keywords":{"k":[' + b"[]," * 4_000_000 + b"1]}}]]"
    )
    began = time.monotonic()
    with pytest.raises(Malformed, match="values"):
        decode_records(body)
    assert time.monotonic() - began < 2


def test_decoder_takes_what_python_writes_beyond_json() -> None:
    report = {"nodeid": "a\udce4", "when": "call", "outcome": "passed", "user_properties": [["x", float("nan")]]}

    ((_, decoded),) = decode_records(json.dumps([["report", report]]).encode())

    assert decoded["nodeid"] == "a\\udce4"


def test_decoder_drops_what_plugins_add_to_reports() -> None:
    report = {"nodeid": "a", "when": "call", "outcome": "passed", "toterminal": "x", "__class__": "y", "_to_json": "z"}

    ((_, decoded),) = decode_records(json.dumps([["report", report]]).encode())

    assert decoded == {"nodeid": "a", "when": "call", "outcome": "passed"}


def test_decoder_refuses_bytes_that_are_not_ascii() -> None:
    with pytest.raises(Malformed, match="ASCII"):
        decode_records('[["internal","\x9b2J"]]'.encode())


EVIL = "\x1b]52;c;eA==\x07\x1b[2J\u202e\r\b"


@pytest.mark.parametrize(
    "record",
    [
        ["s", f"{EVIL}\0{EVIL}\0{EVIL}", 1],
        ["p", f"{EVIL}\0{EVIL}", 1, 2, 3, 4],
        ["f", EVIL],
        ["text", EVIL, 0, 0],
        ["blob", 1, EVIL],
        ["header", [EVIL, [EVIL]]],
        ["internal", EVIL],
        ["interrupt", {"type": EVIL, "text": EVIL, "path": EVIL, "line": 1, "message": EVIL}],
        ["finishing", 1, EVIL, EVIL],
        ["worker", EVIL, {EVIL: EVIL}],
        ["property", EVIL, EVIL],
        ["attribute", EVIL, "name", EVIL],
        ["imports", {EVIL: [EVIL, "0"]}],
        ["collected", 1, 1, [[[EVIL, EVIL, EVIL]]], [EVIL, [EVIL]]],
        ["report", {"nodeid": EVIL, "when": "call", "outcome": "failed", "longrepr": EVIL, "sections": [[EVIL, EVIL]],
                    "keywords": {EVIL: 1}, "location": [EVIL, 1, EVIL], "$shown": EVIL, "node": EVIL,
                    "user_properties": [[EVIL, {EVIL: [EVIL]}]], "wasxfail": EVIL}],
        ["report", {"nodeid": "a", "when": "call", "outcome": "failed", "longrepr": {EVIL: {EVIL: [EVIL]}}},
         {"longrepr": EVIL, "status": [EVIL, EVIL, [EVIL, {EVIL: True}]]}],
        ["warning", {"text": EVIL, "category": "Warn", "module": EVIL, "filename": EVIL, "lineno": 1, "line": EVIL,
                     "suffix": EVIL, "when": "runtest", "nodeid": EVIL, "location": [EVIL, 1, EVIL]}],
        session(platform=EVIL, rootdir=EVIL, directory=EVIL),
        ["end", {"frames": 0, "exit": 0, "collected": 0, "collect_only": False, "tally": {EVIL: 1}, "seconds": 1}],
    ],
    ids=lambda record: record[0],
)  # fmt: skip
def test_decoder_makes_every_text_of_a_record_safe(record: list[Any]) -> None:
    (decoded,) = decode_records(json.dumps([record]).encode())

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for pair in value.items() for each in pair for text in texts(each)]
        if isinstance(value, list):
            return [text for each in value for text in texts(each)]
        return [value] if isinstance(value, str) else []

    assert not [text for text in texts(decoded) if set(text) & set("\x1b\x07\x08\r\u202e")]


def test_decoder_disarms_commands_in_frames_that_are_clean_otherwise() -> None:
    records: list[list[Any]] = [["internal", "x\n::error::y"], ["s", "::error::\0a\0b", 1], ["internal", "##[error]z"]]
    for record in records:
        (decoded,) = decode_records(json.dumps([record]).encode())
        assert decoded[1] != record[1]
        assert "\n::error" not in decoded[1]
        assert not decoded[1].startswith("::error")
        assert "##[" not in decoded[1]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"null", b"[]", b'{"files": []}', b'{"files": {"a": ["x", 0, 1, "x"]}}', b'{"files": {"a": ["f", 0, 1]}}',
        b'{"error": 1}', b'{"error": "busy", "reason": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_answer(text)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"code": 300, "signal": null}', b'{"code": 0, "signal": "x"}', b"[1]"])
def test_an_exit_of_another_shape_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_exited(text)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"name": "a"}', b'{"name": "a", "message": 1}', b'{"name": "a", "message": "\xff"}']
)
def test_a_probe_of_another_shape_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_probe(text)


# What the readers buffer.


def test_frame_reader_keeps_nothing_of_a_frame_without_end() -> None:
    reader = FrameReader()
    for _ in range(200):
        reader.feed(b"x" * (1 << 20))

    assert reader.broken
    assert reader.pending == 0


@pytest.mark.parametrize("announced", [LONGEST_FRAME + 1, 10**11])
def test_frame_reader_refuses_a_frame_that_is_too_long_by_its_header(announced: int) -> None:
    reader = FrameReader()
    reader.feed(b"0 %d 00000000 [" % announced)

    assert "more than" in reader.broken
    assert reader.pending == 0


def test_frame_reader_refuses_a_frame_that_is_longer_than_it_says() -> None:
    reader = FrameReader()
    reader.feed(b"0 10 00000000 [" + b" " * 100)

    assert "longer than its header says" in reader.broken


@pytest.mark.parametrize("header", [b"#F 0 999999999\n", b"#T 0 100000\n", b"#X 0 100000\n", b"#H 0 2000000\n"])
def test_chunk_reader_refuses_a_chunk_that_is_too_long_by_its_header(header: bytes) -> None:
    with pytest.raises(Garbled, match="longer"):
        ChunkReader().feed(header)


# What the renderer does.

PROVEN = Verdict(exit=ExitCode.PASSED, message="all tests passed", proven=True)


def request(root: Path, **more: Any) -> Request:
    return Request(
        run=RunId("20260101-000000-0000"), argv=(), root=root, directory="/app", where="here",
        deadline=Deadline.after(60), **more,
    )  # fmt: skip


def render(tmp_path: Path, frames: bytes, *, output: bytes = b"", host_args: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return what the renderer prints for a log, and why it did not show all."""
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
def test_renderer_prints_what_tests_printed_without_sequences(tmp_path: Path) -> None:
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
def test_a_renderer_that_does_not_show_all_is_noticed(
    tmp_path: Path, frames: list[list[Any]], host_args: tuple[str, ...], reason: str
) -> None:
    _, lost = render(tmp_path, b"".join(log(*frames)), host_args=host_args)

    assert reason in lost


def test_a_renderer_that_is_killed_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "frames").write_bytes(b"")
    (tmp_path / "runner-output.log").write_bytes(b"")
    with RendererProcess("x", request(tmp_path), run_dir=tmp_path, out=io.StringIO(), host_args=()) as renderer:
        renderer._process.kill()
        renderer._process.wait()
        assert renderer.end(PROVEN, frames=0, until=lambda: False) == "signal 9 ended it"


# Any log at all.

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
_TEMPLATES: list[list[Any]] = [
    SESSION,
    ["session", {**SESSION[1], "options": {"verbose": 1, "capture": "no", "tbstyle": "long"},
                 "ini": {"console_output_style": "count", "junit_family": "xunit1"}}],
    *loud(1, 3),
    ["collected", 2, 2, [[["<A>", "a.py::x", "doc"]]], ["line"]],
    ["warning", {"text": "w", "category": "UserWarning", "module": "m", "filename": "/etc/hostname", "lineno": 1,
                 "line": "", "suffix": "", "when": "runtest", "nodeid": "a", "location": ["a", 1, "b"]}],
    ["report", {"nodeid": "a", "outcome": "failed", "when": "call", "location": ["a", 1, "b"], "keywords": {},
                "longrepr": "boom", "sections": [["Captured", {"$blob": 1}]], "$report_type": "TestReport",
                "user_properties": [["a", "b"]], "duration": 0.1, "start": 1.0, "stop": 1.1}],
    ["blob", 1, "text"], ["text", "text", 0, 0], ["text", "text", 2, None], ["header", ["h"]], ["collecting"],
    ["collect", {"nodeid": "a", "outcome": "failed", "longrepr": "x", "result": None, "sections": [],
                 "$report_type": "CollectReport"}, 3],
    ["deselected", 3], ["verbose", 3], ["count", 3, 3], ["worker", "gw0", {"id": "gw0"}], ["debugger"],
    ["property", "a", "b"], ["attribute", "a", "b", "c"], ["imports", {"a": ["b", "c"]}], ["looped"],
    ["interrupt", {"type": "Exit", "text": "x", "path": "a", "line": 1, "message": "m"}], ["internal", "x"],
    ["o", 3], ["finishing", 1, "", ""],
    ["end", {"frames": 1, "exit": 0, "collected": 1, "collect_only": False, "tally": {}, "seconds": 1.0}],
]  # fmt: skip


@st.composite
def _records(draw: st.DrawFn) -> list[Any]:
    record = json.loads(json.dumps(draw(st.sampled_from(_TEMPLATES))))
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
from seatrial.runner.renderer.host_session import run_host_session
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
def test_any_forged_log_leaves_every_file_outside_of_the_run_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, logs: list[list[list[Any]]]
) -> None:
    """Also if the renderer dies of it: the records are of the right shapes with any values, and of others."""
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
