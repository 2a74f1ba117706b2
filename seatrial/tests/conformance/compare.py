"""Runs a case both ways and says where they differ."""

from __future__ import annotations

import difflib
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from seatrial.model.deadline import Deadline
from seatrial.model.event import Body
from seatrial.model.names import RunId
from seatrial.model.text import safe_text
from seatrial.runner.options import split_command_line
from seatrial.runner.request import Request
from seatrial.runner.run_tests import TestRun, run_tests

from conformance.suites import Case
from conformance.transport import Transport

__all__ = ["Both", "differences", "run_both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """The result of a case with plain pytest and with seatrial."""

    case: Case
    plain_exit: int
    plain_text: str
    plain_junit: str
    outcome: TestRun
    text: str
    junit: str
    events: list[Body]


def run_both(transport: Transport, case: Case, tmp_path: Path) -> Both:
    """Run all steps of a case plainly, then through us, in directories of the same name."""
    project = tmp_path / "project"
    project.mkdir()
    for path, text in case.files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)
    junit = [] if any(word.startswith("--junit") for word in case.steps[-1]) else ["--junitxml=out.xml"]
    plain_junit = ""
    directory = transport.place(case.name, case.files)
    for step in case.steps:
        done = transport.plain(
            directory,
            [transport.python, "-m", "pytest", *step, *junit],
            {"COLUMNS": "80", "PYTHONUNBUFFERED": "1", **case.env},
        )
        plain_junit = transport.read(f"{directory}/out.xml").decode()
    directory = transport.place(case.name, case.files)
    for number, step in enumerate(case.steps):
        out, events = io.StringIO(), list[Body]()
        invocation = split_command_line([transport.python, "-m", "pytest"], [*step, *junit], root=project)
        request = Request(
            run=RunId(f"20260101-000000-{zlib.crc32(case.name.encode()):08x}{number}"),
            argv=invocation.argv,
            root=project,
            directory=directory,
            where="a pod",
            deadline=Deadline.after(300),
            env=case.env,
            junit=invocation.junit,
            files=invocation.files,
            informational=invocation.informational,
            color=invocation.color == "yes",
            python=transport.agent_python,
            entry=transport.entry,
        )
        outcome = run_tests(
            transport.exec_,
            request,
            emit=events.append,
            state=transport.state,
            host_args=invocation.host_args,
            run_dir=tmp_path / f"run{number}",
            out=out,
        )
        errors = (tmp_path / f"run{number}" / "renderer-errors.log").read_text()
        assert not errors, errors
    written = project / "out.xml"
    return Both(
        case=case,
        plain_exit=done.code,
        plain_text=done.stdout.decode(errors="replace"),
        plain_junit=plain_junit,
        outcome=outcome,
        text=out.getvalue(),
        junit=written.read_text() if written.exists() else "",
        events=events,
    )


def differences(both: Both) -> str:
    """Return what differs, for people; empty if nothing does."""
    found = []
    expected = both.case.exit if both.case.exit is not None else both.plain_exit
    if both.outcome.verdict.exit != expected:
        found.append(f"exit: {expected} expected, {both.outcome.verdict.exit!r}: {both.outcome.verdict.text}")
    if both.outcome.pytest_exit != both.plain_exit:
        found.append(f"pytest's exit: {both.plain_exit} locally, {both.outcome.pytest_exit} in the pod")
    plain = safe_text(both.plain_text.replace("\r", "\n"), colors=True)
    found += _diff("terminal", _lines(plain, both), _lines(both.text, both))
    found += _diff("junit", _junit(_escaped(both.plain_junit)), _junit(both.junit))
    return "\n".join(found)


def _escaped(junit: str) -> str:
    """Return a JUnit file with control characters as the decoder of records writes them; pytest writes `#x01`."""
    return re.sub(r"#x(?!1B\[)([0-9A-F]{2})(?![0-9A-F])", lambda match: f"\\x{match[1].lower()}", junit)


def _diff(what: str, plain: list[str], ours: list[str]) -> list[str]:
    return list(difflib.unified_diff(plain, ours, f"{what} locally", f"{what} from the pod", lineterm="", n=2))


_TIMES: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"\b\d+\.\d\ds( \(\d:\d\d:\d\d\))?"), "0.00s"),
    (re.compile(r" at 0x[0-9a-f]+|cache from \d+:\d\d:\d\d ago"), " at 0x0"),
    (re.compile(r"\[gw\d+\]"), "[gw?]"),
    (re.compile(r"\[ *\d+%\]"), "[ ?%]"),
    (re.compile(r"^[.FExXsuS]+(?=$| +\[)"), lambda match: "".join(sorted(match[0]))),
)
_OURS = ("runs in: ",)
_SEPARATOR = re.compile(r"^([=!_-])\1* (.*) \1+$")


def _lines(text: str, both: Both) -> list[str]:
    lines = []
    for line in text.replace("\r", "\n").split("\n"):
        plain = line
        if plain.startswith(_OURS):
            continue
        for number, (pattern, replacement) in enumerate(_TIMES):
            if number < 2 or both.case.unordered:
                plain = pattern.sub(replacement, plain)
        # With its time, the last line also changes its width; the file of coverage is written elsewhere.
        match = (
            _SEPARATOR.match(re.sub(r"\x1b\[[0-9;]*m", "", plain))
            if "0.00s" in plain or "generated xml" in plain
            else None
        )
        plain = match[2] if match else plain
        plain = re.sub(r"generated xml file: .*/", "generated xml file: ", plain)
        lines.append(plain.rstrip() if both.case.unordered else plain)
    if both.case.unordered:
        lines = sorted(line for line in lines if line)
    if both.case.loose:
        lines = [line for line in lines if line.startswith(("FAILED", "ERROR", "PASSED"))]
    return lines


def _junit(text: str) -> list[str]:
    if not text:
        return []
    root = ET.fromstring(text)
    for node in root.iter():
        for name in ("time", "timestamp", "hostname"):
            node.attrib.pop(name, None)
        if node.text:
            node.text = _TIMES[1][0].sub(_TIMES[1][1], node.text)
    suites = root.iter("testsuite")
    for suite in suites:
        cases = sorted(suite.findall("testcase"), key=lambda case: (case.get("classname", ""), case.get("name", "")))
        for case in cases:
            suite.remove(case)
        suite.extend(cases)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode").splitlines()
