"""Decode JSON from the pod with types and limits: the records of the frame log and the answers of the agent. Pure.

All bytes are hostile: tests and packages of the image can write to the log and replace the agent. So each record has a
type with all its fields, numbers have limits, pytest options come from a list, and every text is made safe to print.
Anything else is an error. `agent/plugin.py` describes the records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from seatrial.model.environment_facts import Usage
from seatrial.model.text import safe_line, safe_text
from seatrial.pod.agent.wire import RecordKind
from seatrial.runner.record_types import REPORT_FIELDS, AnyRecord, Count, Path, RecordFrame, Seconds, Size

__all__ = [
    "CUT",
    "DEEPEST",
    "LONGEST_NOTE",
    "MOST_NOTES",
    "Answer",
    "Exited",
    "Malformed",
    "Probe",
    "ProbeReader",
    "Record",
    "TreeChanges",
    "decode_answer",
    "decode_changes",
    "decode_exited",
    "decode_log",
    "decode_notes",
    "decode_probe",
    "decode_records",
]

Record = list[Any]
_T = TypeVar("_T")

CUT: Final = "\0"
"""Separator of several strings in one."""

DEEPEST: Final = 200
"""Levels of lists and mappings in one record; reports of pytest have about 15."""

MOST_VALUES: Final = 4_000_000
"""Lists, mappings and their elements in one frame: an empty list takes 2 bytes of JSON and 64 bytes of memory."""

MOST_NOTES: Final = 100
LONGEST_NOTE: Final = 1000
_MOST_FILES: Final = 500_000
_LONGEST_ANSWER: Final = 64 << 20
_LONGEST_SMALL: Final = 1 << 16
"""Bytes of exit.json and of the answer of a probe."""

_LONGEST_NOTES: Final = 1 << 20


class Malformed(ValueError):
    """Bytes from the pod are not in the format of the agent."""


# One decoder for all frames: msgspec would analyze the list type for each frame again.
_check: Final = msgspec.json.Decoder(list[AnyRecord]).decode
_loads: Final = msgspec.json.Decoder().decode

# Both begin with a literal, which makes the search fast.
_UNSAFE: Final = re.compile(rb"\\(?:[bfr]|u(?!0000))")
_COMMAND: Final = re.compile(rb'::(?:(?<=[" ]::)|(?<=\\n::)|(?<=\\t::))[A-Za-z]')


def _is_suspect(body: bytes) -> bool:
    """Return whether texts of a frame may be unsafe for another reason than NULs; its JSON is ASCII."""
    return bool(_UNSAFE.search(body) or b"##" in body or b"\x7f" in body or _COMMAND.search(body))


def decode_records(body: bytes) -> list[Record]:
    """Return the records of a frame, each of a known type and with texts that are safe to print.

    Raises:
        Malformed: the body is not a list of records.
    """
    nesting = body.count(b"[") + body.count(b"{")
    if body.count(b",") + nesting > MOST_VALUES:
        raise Malformed(f"more than {MOST_VALUES} values")
    if not body.isascii():
        raise Malformed("not ASCII")
    try:
        raw = _decode(body, _check)
        _clean(raw, quick=nesting <= DEEPEST and not _is_suspect(body), nuls=body.count(b"\\u0000"))
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
    records: list[Record] = raw
    return records


def _clean(records: list[Record], *, quick: bool, nuls: int) -> None:
    """Make the texts of records safe, in place.

    Args:
        records: the records.
        quick: only texts with NULs may be unsafe, and nothing is nested too deep.
        nuls: number of NULs.
    """
    if quick:
        quick = nuls == sum(record[1].count(CUT) for record in records if record[0] in _WITH_CUTS)
    for record in records:
        kind = record[0]
        if kind in (RecordKind.REPORT, RecordKind.COLLECT_REPORT):
            if not quick or not record[1].keys() <= REPORT_FIELDS:
                _clean_report(record)
        elif not quick or kind in _WITH_CUTS:
            _CLEANERS[kind](record)


def _decode(body: bytes, check: Callable[[bytes], object]) -> Any:
    """Return decoded JSON after `check` has verified its type.

    msgspec is fast; `json` also accepts NaN and lone surrogates, which Python writes.
    """
    try:
        check(body)
        return _loads(body)
    except msgspec.ValidationError:
        raise
    except RecursionError:
        raise Malformed(f"nested deeper than {DEEPEST}") from None
    except ValueError:
        pass
    value = json.loads(body)
    msgspec.convert({"records": value}, RecordFrame)
    return value


# Clean the texts of a record in place, by its kind. Node ids, paths and names have one line, other texts any number.


def _clean_start(record: Record) -> None:
    text = record[1]
    for part in text.split(CUT):
        if not part.isprintable() or part.startswith((":", " ", "#")):
            record[1] = CUT.join(map(safe_line, text.split(CUT)))
            return


def _clean_plain(record: Record) -> None:
    if not record[1].replace(CUT, "").isprintable():
        record[1] = CUT.join(map(safe_line, record[1].split(CUT)))


def _clean_finish(record: Record) -> None:
    record[1] = safe_line(record[1])


def _clean_nothing(_record: Record) -> None:
    pass


def _clean_report(record: Record) -> None:
    record[1] = {
        name: _one_line(value) if name in _LINES else _safe(value, 3)
        for name, value in record[1].items()
        if name in REPORT_FIELDS
    }
    if record[2:] and isinstance(record[2], dict):
        record[2] = {
            name: _one_line(value) if name == "context" else _safe(value, 2) for name, value in record[2].items()
        }


def _clean_text(record: Record) -> None:
    # A text may be a part of a line, so its beginning is not the beginning of a line.
    record[1] = safe_text(record[1], colors=True, starts_line=False)


def _clean_blob(record: Record) -> None:
    record[2] = safe_text(record[2], colors=True, starts_line=False)


def _clean_fields(record: Record) -> None:
    record[1] = {name: _one_line(value) if name in _LINES else _safe(value, 2) for name, value in record[1].items()}


def _clean_all(record: Record) -> None:
    record[1:] = [_safe(each, 2) for each in record[1:]]


def _clean_lines(record: Record) -> None:
    record[1:] = [_one_line(each) for each in record[1:]]


def _clean_collected(record: Record) -> None:
    record[3] = [
        [[_one_line(shown), _one_line(nodeid), _safe(doc, 5)] for shown, nodeid, doc in it] for it in record[3]
    ]
    record[4] = _safe(record[4], 2)


def _clean_attribute(record: Record) -> None:
    record[1:] = [_one_line(record[1]), record[2], _safe(record[3], 2)]


_WITH_CUTS: Final = frozenset((RecordKind.TEST_STARTED, RecordKind.TEST_PASSED))

_LINES: Final = frozenset(
    (
        "nodeid", "location", "node", "keywords", "filename", "category", "module", "when", "path", "type", "rootdir",
        "directory", "platform", "options", "ini", "outcome", "testrun_uid", "worker_id",
    )
)  # fmt: skip
"""Fields of reports, warnings and sessions whose texts have one line."""

_CLEANERS: Final[Mapping[str, Callable[[Record], None]]] = {
    RecordKind.SESSION: _clean_fields,
    RecordKind.HEADER: _clean_all,
    RecordKind.COLLECTING: _clean_nothing,
    RecordKind.COLLECT_REPORT: _clean_report,
    RecordKind.DESELECTED: _clean_nothing,
    RecordKind.COLLECTED: _clean_collected,
    RecordKind.VERBOSITY: _clean_nothing,
    RecordKind.COUNT: _clean_nothing,
    RecordKind.TEST_STARTED: _clean_start,
    RecordKind.TEST_PASSED: _clean_plain,
    RecordKind.TEARDOWN_PASSED: _clean_nothing,
    RecordKind.REPORT: _clean_report,
    RecordKind.WORKER: _clean_lines,
    RecordKind.TEST_FINISHED: _clean_finish,
    RecordKind.BLOB: _clean_blob,
    RecordKind.WARNING: _clean_fields,
    RecordKind.TEXT: _clean_text,
    RecordKind.INTERRUPT: _clean_fields,
    RecordKind.INTERNAL_ERROR: _clean_all,
    RecordKind.OUTPUT_SIZE: _clean_nothing,
    RecordKind.DEBUGGER: _clean_nothing,
    RecordKind.PROPERTY: _clean_lines,
    RecordKind.ATTRIBUTE: _clean_attribute,
    RecordKind.IMPORTS: _clean_lines,
    RecordKind.LOOP_FINISHED: _clean_nothing,
    RecordKind.FINISHING: _clean_all,
    RecordKind.END: _clean_lines,
}


def _safe(value: Any, depth: int) -> Any:
    """Return a value with safe texts; names of fields have one line."""
    if value.__class__ is str:
        return safe_text(value, colors=True)
    if isinstance(value, list | dict):
        if depth > DEEPEST:
            raise Malformed(f"nested deeper than {DEEPEST}")
        if isinstance(value, list):
            return [_safe(each, depth + 1) for each in value]
        return {safe_line(name): _safe(each, depth + 1) for name, each in value.items()}
    return value


def _one_line(value: Any, depth: int = 2) -> Any:
    if value.__class__ is str:
        return safe_line(value)
    if isinstance(value, list | dict):
        if depth > DEEPEST:
            raise Malformed(f"nested deeper than {DEEPEST}")
        if isinstance(value, list):
            return [_one_line(each, depth + 1) for each in value]
        return {safe_line(name): _one_line(each, depth + 1) for name, each in value.items()}
    return value


# Answers of the agent.


_File = tuple[Literal["f", "l", "d", "o"], Annotated[int, Meta(ge=0, le=0o7777)], Size, Path]


class Answer(msgspec.Struct, frozen=True):
    """The agent's answer to `submit` and `manifest`.

    Attributes:
        files: path -> kind, mode, size, digest or target.
        seeded: the same for the files that the image had there when the pod started.
        error: code of an error; empty after a success.
        reason: text of the error.
        changed: number of files that were written or deleted.
    """

    files: Annotated[dict[Path, _File], Meta(max_length=_MOST_FILES)] = {}
    seeded: Annotated[dict[Path, _File], Meta(max_length=_MOST_FILES)] = {}
    error: Annotated[str, Meta(max_length=64)] = ""
    reason: Annotated[str, Meta(max_length=1 << 14)] = ""
    changed: Size = 0


class TreeChanges(msgspec.Struct, frozen=True):
    """`tree/changes.json` of the agent: what a run changed in the synced folders.

    Attributes:
        created: path -> kind, mode, size, digest or target, of what was not there when the run began.
        changed: the same, of what was there and is different.
        deleted: what is no longer there.
    """

    created: Annotated[dict[Path, _File], Meta(max_length=_MOST_FILES)] = {}
    changed: Annotated[dict[Path, _File], Meta(max_length=_MOST_FILES)] = {}
    deleted: Annotated[list[Path], Meta(max_length=_MOST_FILES)] = []


class Exited(msgspec.Struct, frozen=True, kw_only=True):
    """`exit.json` of the agent: exit code or signal of the command, and what the container used."""

    at: Seconds = 0.0
    sizes: dict[Literal["frames", "output"], Size] = {}
    sessions: Count = 0
    oom_kills: Count = 0
    usage: Usage = Usage()
    memory_limit: Size = 0
    code: Annotated[int, Meta(ge=0, le=255)] | None
    signal: Annotated[int, Meta(ge=0, le=255)] | None
    error: Annotated[str, Meta(max_length=4096)] = ""


class Probe(msgspec.Struct, frozen=True):
    """A line of `probes.py`: the name of a service and its problem; the problem is empty if the service is ready."""

    name: Annotated[str, Meta(max_length=253)]
    message: Annotated[str, Meta(max_length=4096)]


def decode_answer(text: bytes) -> Answer:
    """Return the agent's answer.

    Raises:
        Malformed: the text is not an answer.
    """
    answer = _typed(text, Answer, _LONGEST_ANSWER)
    return msgspec.structs.replace(answer, error=safe_line(answer.error), reason=safe_line(answer.reason))


def decode_changes(text: bytes) -> TreeChanges:
    """Return what a run changed in the synced folders.

    Raises:
        Malformed: it is no list of files, or one of them is not below the folders.
    """
    found = _typed(text, TreeChanges, _LONGEST_ANSWER)
    for path in (*found.created, *found.changed, *found.deleted):
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise Malformed(f"{safe_line(path)[:LONGEST_NOTE]!r} is no path below a folder")
    return found


def decode_exited(text: bytes) -> Exited:
    """Return the exit of the command.

    Raises:
        Malformed: the text is not an exit.json.
    """
    exited = _typed(text, Exited, _LONGEST_SMALL)
    return msgspec.structs.replace(exited, error=safe_line(exited.error))


def decode_probe(line: bytes) -> Probe:
    """Return the result of a probe.

    Raises:
        Malformed: the line is not a result of a probe.
    """
    probe = _typed(line, Probe, _LONGEST_SMALL)
    return Probe(safe_line(probe.name), safe_line(probe.message))


class ProbeReader:
    """Splits the output of `probes.py` into the results of the services.

    Args:
        names: the probed services.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._pending = b""

    def feed(self, data: bytes) -> list[Probe]:
        """Return the results that are complete now.

        Raises:
            Malformed: the data is not output of `probes.py`.
        """
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > _LONGEST_SMALL:
            raise Malformed(f"a line is longer than {_LONGEST_SMALL} bytes")
        probes = [decode_probe(line) for line in lines]
        if unknown := [probe.name for probe in probes if probe.name not in self._names]:
            raise Malformed(f"service {unknown[0]} was not probed")
        return probes


def decode_notes(text: bytes) -> list[str]:
    """Return the notes of the agent about files that it could not collect, one line each.

    Raises:
        Malformed: the text is not a list of texts, or longer than the agent writes.
    """
    notes = _typed(text, list[str], _LONGEST_NOTES)
    if len(notes) > MOST_NOTES:
        notes = [*notes[:MOST_NOTES], f"{len(notes) - MOST_NOTES} more notes were dropped"]
    return [safe_line(note[:LONGEST_NOTE]) for note in notes]


def decode_log(data: bytes) -> str:
    """Return output of a container as a text that is safe to print."""
    return safe_text(data.decode(errors="backslashreplace"), colors=True)


def _typed(text: bytes, kind: type[_T], longest: int) -> _T:
    if len(text) > longest:
        raise Malformed(f"{len(text)} bytes are more than {longest}")
    try:
        return msgspec.convert(json.loads(text), kind)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from None
