"""Types of the records in the frame log. They limit every value, because the pod is not trusted.

`pod/agent/plugin.py` describes the records. `decoder.py` decodes them with these types.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from seatrial.pod.agent.wire import RecordKind

__all__ = [
    "REPORT_FIELDS",
    "AnyRecord",
    "Count",
    "Path",
    "RecordFrame",
    "Seconds",
    "Size",
]

Line = Annotated[str, Meta(max_length=1 << 16)]
Word = Annotated[str, Meta(max_length=64, pattern=r"\A[!-~]*\Z")]
"""Printable ASCII without spaces: the value of an option."""
Path = Annotated[str, Meta(max_length=4096)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Size = Annotated[int, Meta(ge=0, le=1 << 62)]
Nanoseconds = Annotated[int, Meta(ge=-(1 << 62), le=1 << 62)]
Microseconds = Annotated[int, Meta(ge=-(1 << 62), le=1 << 62)]
Number = Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
Seconds = Annotated[float, Meta(ge=-1e9, le=1e12)]
Flag = bool | Number | None
Location = tuple[Line, Number | Line | None, Line]


class _Options(msgspec.Struct, forbid_unknown_fields=True):
    """The options that decide how pytest shows a session. None of them names a file."""

    verbose: Number = 0
    no_header: Flag = False
    no_summary: Flag = False
    reportchars: Word | None = ""
    disable_warnings: Flag = False
    showlocals: Flag = False
    tbstyle: Word = "auto"
    xfail_tb: Flag = False
    showcapture: Word = "all"
    fulltrace: Flag = False
    color: Word = "auto"
    code_highlight: Word = "yes"
    fold_skipped: Flag = True
    force_short_summary: Flag = False
    durations: Number | Seconds | None = None
    durations_min: Number | Seconds | None = None
    collectonly: Flag = False
    capture: Word = "fd"
    setupshow: Flag = False
    setuponly: Flag = False
    setupplan: Flag = False
    max_warnings: Number | None = None
    junitprefix: Annotated[str, Meta(max_length=1000)] | None = None


class _Ini(msgspec.Struct, forbid_unknown_fields=True):
    """The ini values that decide how pytest shows a session."""

    console_output_style: Word = "progress"
    verbosity_assertions: Word | Number | None = None
    verbosity_test_cases: Word | Number | None = None
    verbosity_subtests: Word | Number | None = None
    junit_suite_name: Annotated[str, Meta(max_length=1000)] = "pytest"
    junit_logging: Literal["no", "log", "system-out", "system-err", "out-err", "all"] = "no"
    junit_log_passing_tests: Flag = True
    junit_duration_report: Literal["total", "call"] = "total"
    junit_family: Literal["legacy", "xunit1", "xunit2"] = "xunit2"
    max_warnings: Word | Number | None = None


class _SessionInfo(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1] = 1
    python: Word = ""
    pytest: Word = ""
    platform: Path = ""
    rootdir: Path = "/"
    directory: Path = "/"
    options: _Options = msgspec.field(default_factory=_Options)
    ini: _Ini = msgspec.field(default_factory=_Ini)
    terminal: bool = True
    verbatim: bool = False
    showfspath: bool | None = None
    workers: bool = False
    ci: bool = False


class _Blob(msgspec.Struct, forbid_unknown_fields=True):
    number: Size = msgspec.field(name="$blob")


class _Report(msgspec.Struct):
    """A report. Plugins add fields; those that are not in `REPORT_FIELDS` are dropped."""

    nodeid: Line
    outcome: Word
    when: Word | None = None
    duration: Number | Seconds | None = None
    start: Number | Seconds | None = None
    stop: Number | Seconds | None = None
    location: Location | None = None
    keywords: dict[str, Any] = {}
    sections: list[tuple[str, str | _Blob]] | None = None
    longrepr: str | tuple[str, Number | None, str] | dict[str, Any] | None = None
    user_properties: list[tuple[Any, Any]] = []
    wasxfail: str = ""
    node: Line | None = None
    shown: str = msgspec.field(name="$shown", default="")
    type_: Word = msgspec.field(name="$report_type", default="")
    subtype: Word = msgspec.field(name="_report_type", default="")


class _TestReport(_Report, kw_only=True):
    """A report of a phase of a test."""

    when: Word


REPORT_FIELDS: Final = frozenset(
    (
        "nodeid", "outcome", "when", "duration", "start", "stop", "location", "keywords", "sections", "longrepr",
        "user_properties", "wasxfail", "node", "result", "context", "item_index", "worker_id", "testrun_uid",
        "$shown", "$report_type", "_report_type", "_subtest.context",
    )
)  # fmt: skip


Short = Annotated[str, Meta(max_length=256)]


class _Context(msgspec.Struct, forbid_unknown_fields=True):
    """The services that a failed test asked for, and the addresses that its exception concerns.

    Attributes:
        services: names of configured services.
        namespaces: isolated namespaces of the test.
        addresses: URLs and `host:port` in the exception and in the functions that it passed.
        answers: status and URL of HTTP responses in these functions.
    """

    services: Annotated[list[Short], Meta(max_length=64)] = []
    namespaces: Annotated[list[Short], Meta(max_length=64)] = []
    addresses: Annotated[list[Short], Meta(max_length=64)] = []
    answers: Annotated[list[tuple[Annotated[int, Meta(ge=100, le=599)], Short]], Meta(max_length=64)] = []


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    context: _Context | None = None
    outcome: Word = ""
    longrepr: str | tuple[str, Number | None, str] | dict[str, Any] | None = None
    # The last one may be [word, markup]. As a tuple in this tuple, msgspec 0.22 crashes when its type is collected.
    status: tuple[Line, Line, Line | list[Any]] | None = None

    def __post_init__(self) -> None:
        word = self.status[2] if self.status else ""
        if isinstance(word, list) and [type(each) for each in word] != [str, dict]:
            raise ValueError("the word of a status is neither a text nor a text with its markup")


class _Warning(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    category: Word
    module: Line
    filename: Line
    lineno: Number
    line: str
    suffix: str
    when: Word
    nodeid: Line
    location: tuple[Line, Number, Line] | None


class _Interruption(msgspec.Struct, forbid_unknown_fields=True):
    type: Line
    message: str
    text: str = ""
    path: Line = ""
    line: Number = 0


class _EndValues(msgspec.Struct, forbid_unknown_fields=True):
    frames: Size
    exit: Number
    collected: Count
    collect_only: bool
    tally: dict[Line, Count]
    seconds: Seconds


class _R(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag=True):
    """Base of the records: a list whose first element is the kind."""


class _Session(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.SESSION):
    info: _SessionInfo


class _Header(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.HEADER):
    lines: list[str | list[str]]


class _Collecting(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.COLLECTING):
    pass


class _CollectReport(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.COLLECT_REPORT):
    report: _Report
    items: Count


class _Deselected(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.DESELECTED):
    count: Count


class _Collected(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.COLLECTED):
    count: Count
    distinct: Count
    tree: list[Annotated[list[tuple[str, Line, str]], Meta(min_length=1)]]
    lines: list[str | list[str]]


class _Verbose(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.VERBOSITY):
    level: Number


class _CountKnown(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.COUNT):
    count: Count
    distinct: Count


class _Start(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.TEST_STARTED):
    text: Annotated[str, Meta(pattern=r"\A[^\0]*\0[^\0]*\0[^\0]*\Z", max_length=1 << 16)]
    line: Number | Line | None


class _Plain(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.TEST_PASSED):
    keywords: str
    setup: Nanoseconds
    setup_start: Microseconds
    call: Nanoseconds
    call_start: Microseconds


class _TornDown(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.TEARDOWN_PASSED):
    duration: Nanoseconds
    start: Microseconds


class _Reported(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.REPORT):
    report: _TestReport
    change: _Change = msgspec.field(default_factory=_Change)


class _Worker(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.WORKER):
    name: Line
    info: dict[str, Any] | None


class _Finish(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.TEST_FINISHED):
    nodeid: Line


class _BlobPiece(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.BLOB):
    number: Size
    text: str


class _Warned(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.WARNING):
    warning: _Warning


class _Text(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.TEXT):
    text: str
    phase: Number
    place: Number | None


class _Interrupted(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.INTERRUPT):
    interruption: _Interruption


class _Internal(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.INTERNAL_ERROR):
    text: str


class _Output(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.OUTPUT_SIZE):
    size: Size


class _Debugger(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.DEBUGGER):
    pass


class _Property(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.PROPERTY):
    name: Line
    value: str


class _Attribute(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.ATTRIBUTE):
    nodeid: Line
    name: Annotated[str, Meta(max_length=256, pattern=r"\A[A-Za-z_][A-Za-z0-9_.-]*\Z")]
    value: str


class _Imports(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.IMPORTS):
    modules: dict[Line, tuple[Line, Word]]


class _Looped(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.LOOP_FINISHED):
    pass


class _Finishing(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.FINISHING):
    exit: Number
    shouldfail: str
    shouldstop: str


class _EndRecord(_R, array_like=True, forbid_unknown_fields=True, tag=RecordKind.END):
    end: _EndValues


AnyRecord = (
    _Session | _Header | _Collecting | _CollectReport | _Deselected | _Collected | _Verbose | _CountKnown | _Start
    | _Plain | _TornDown | _Reported | _Worker | _Finish | _BlobPiece | _Warned | _Text | _Interrupted | _Internal
    | _Output | _Debugger | _Property | _Attribute | _Imports | _Looped | _Finishing | _EndRecord
)  # fmt: skip


class RecordFrame(msgspec.Struct):
    records: list[AnyRecord]
