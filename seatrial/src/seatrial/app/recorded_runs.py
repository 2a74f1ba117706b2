"""Read run directories for a comparison."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar
from xml.etree import ElementTree as ET

import msgspec

from seatrial.collection.facts_recorder import FACTS_FILE
from seatrial.comparison.recorded import RecordedRun, RecordedTest, Side
from seatrial.model.environment_facts import FACTS_SCHEMA, EnvironmentFacts
from seatrial.model.errors import ExitCode, UsageError
from seatrial.model.event import TestReported, decode_event
from seatrial.model.redaction import SECRETS
from seatrial.model.result import RunResult

__all__ = ["find_run", "read_run", "read_side", "sides"]

_T = TypeVar("_T")

_LONGEST_LOG: Final = 1 << 16
"""Bytes at the end of a log in which causes are searched."""

_LONGEST_TEXT: Final = 1 << 14
_RANKS: Final = {name: rank for rank, name in enumerate(("passed", "xfailed", "xpassed", "skipped", "failed", "error"))}


def find_run(name: str, runs: Path | None) -> Path:
    """Return the directory of a run.

    Args:
        name: an id, `latest`, or a path.
        runs: the directory of the project's runs; None without a project.

    Raises:
        UsageError: there is no such run.
    """
    given = Path(name)
    candidates = [given] if os.sep in name or runs is None else [runs / name, given]
    for each in candidates:
        if (each / "result.json").is_file():
            return each.resolve()
    where = f" in {runs}" if runs is not None and os.sep not in name else ""
    existing = next((each for each in candidates if each.is_dir()), None)
    if existing is not None:
        raise UsageError(
            f"{existing} has no result.json", reason="the run was killed, or is still running", hint="use another run"
        )
    known = sorted(each.name for each in runs.iterdir() if not each.is_symlink()) if runs and runs.is_dir() else []
    raise UsageError(f"no run {name!r}{where}", hint=f"one of: {', '.join(known[-5:])}" if known else "seatrial run")


def read_run(directory: Path) -> RecordedRun:
    """Return what a comparison needs of a run directory.

    Raises:
        UsageError: a file of it cannot be read.
    """
    result = _decoded(directory / "result.json", RunResult)
    facts: EnvironmentFacts | None = None
    if (directory / FACTS_FILE).is_file():
        facts = _decoded(directory / FACTS_FILE, EnvironmentFacts)
        if facts.schema != FACTS_SCHEMA:
            raise UsageError(f"{directory / FACTS_FILE} has schema {facts.schema}", reason=f"known: {FACTS_SCHEMA}")
        SECRETS.learn((), ordinary=facts.variable_names)
    return RecordedRun(
        directory=str(directory), result=result, tests=_tests(directory), facts=facts, logs=dict(_logs(directory))
    )


def read_side(names: str, runs: Path | None, *, name: str = "") -> Side:
    """Return one side of a comparison.

    Args:
        names: a run, or several runs of the same environment with commas between.
        runs: the directory of the project's runs; None without a project.
        name: name of the side; empty: the id of its first run.

    Raises:
        UsageError: a run does not exist or cannot be read.
    """
    found = tuple(read_run(find_run(each, runs)) for each in names.split(",") if each)
    if not found:
        raise UsageError("the name of a run is empty", hint="seatrial compare RUN RUN")
    for run in found:
        if run.result.exit is ExitCode.PASSED and not run.tests:
            raise UsageError(f"run {run.result.run} ran no tests", reason="it only created the environment")
    return Side(name=name or found[0].result.run, runs=found)


def sides(left: Side, right: Side) -> tuple[Side, Side]:
    """Return two sides under the kinds of their environments if these differ."""
    if left.kind == right.kind:
        return left, right
    return Side(name=left.kind, runs=left.runs), Side(name=right.kind, runs=right.runs)


def _decoded(file: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(f"cannot read {file}", reason=str(error.strerror)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file} cannot be read by this version of seatrial", reason=str(error)) from error


def _tests(directory: Path) -> dict[str, RecordedTest]:
    """Return outcome and duration of each test from events.jsonl, and texts from junit.xml."""
    outcomes: dict[str, str] = {}
    seconds: dict[str, float] = {}
    used: dict[str, frozenset[str]] = {}
    for body in _reports(directory / "events.jsonl"):
        before = outcomes.get(body.nodeid, "passed")
        outcomes[body.nodeid] = max(before, body.outcome, key=lambda each: _RANKS[each])
        seconds[body.nodeid] = seconds.get(body.nodeid, 0.0) + body.seconds
        used[body.nodeid] = used.get(body.nodeid, frozenset()) | frozenset(body.services)
        if body.when == "collect" and body.outcome == "passed":
            del outcomes[body.nodeid]
    texts = _junit(directory / "junit.xml")
    found: dict[str, RecordedTest] = {}
    for nodeid, outcome in outcomes.items():
        text, services = texts.get(_junit_name(nodeid), ("", frozenset()))
        found[nodeid] = RecordedTest(
            outcome=outcome, seconds=seconds[nodeid], text=text, services=services | used[nodeid]
        )
    return found


def _reports(file: Path) -> Iterator[TestReported]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {file}", reason=str(error.strerror)) from error
    for number, line in enumerate(lines, start=1):
        try:
            body = decode_event(line).body
        except msgspec.DecodeError as error:
            if number == len(lines):
                # The run was killed while it wrote.
                return
            raise UsageError(f"{file}:{number}: not an event of this version of seatrial", reason=str(error)) from error
        if isinstance(body, TestReported):
            yield body


def _junit_name(nodeid: str) -> tuple[str, str]:
    """Return class name and name of a test as pytest writes them to junit.xml."""
    path, bracket, params = nodeid.partition("[")
    names = path.split("::")
    names[0] = names[0].replace("/", ".").removesuffix(".py")
    return ".".join(names[:-1]), names[-1] + bracket + params


def _junit(file: Path) -> Mapping[tuple[str, str], tuple[str, frozenset[str]]]:
    """Return failure text and used services by class name and name; nothing if the file cannot be read."""
    try:
        root = ET.fromstring(file.read_bytes())  # noqa: S314 - expat limits the expansion of entities
    except (OSError, ET.ParseError):
        return {}
    found: dict[tuple[str, str], tuple[str, frozenset[str]]] = {}
    for case in root.iter("testcase"):
        texts = [
            f"{each.get('message', '')}\n{each.text or ''}"
            for each in case
            if each.tag in ("failure", "error", "skipped")
        ]
        services = frozenset(
            word
            for each in case.iter("property")
            if each.get("name") == "services"
            for word in each.get("value", "").split()
        )
        key = (case.get("classname", ""), case.get("name", ""))
        before = found.get(key, ("", frozenset()))
        found[key] = ("\n".join(filter(None, (before[0], *texts)))[:_LONGEST_TEXT], before[1] | services)
    return found


def _logs(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield pod and container, or Compose service, and the end of its log."""
    logs = directory / "logs"
    for file in sorted([*(logs / "pods").glob("*/*/*.log"), *(logs / "compose").glob("*.log")]):
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _LONGEST_LOG))
            name = file.stem if file.parent == logs / "compose" else f"{file.parent.name}/{file.stem}"
            yield name, log.read().decode(errors="replace")
