from __future__ import annotations

import json

import pytest
from seatrial.report.session import Session

from .run_directories import FIRST_TEST, START, Case, RunDirectory


def session_of(*tests: Case) -> Session:
    session = Session()
    for frame in RunDirectory(tests=tests).frames():
        session.take(frame)
    return session


def test_session_has_times_services_and_place_of_a_test() -> None:
    detail = session_of(Case("a.py::t", start=3, services=("web", "db"), line=14)).tests["a.py::t"]

    assert detail.start == START.timestamp() + FIRST_TEST + 3
    assert detail.stop == detail.start + 0.2
    assert detail.services == ("web", "db")
    assert (detail.file, detail.line) == ("a.py", 14)


def test_plain_records_of_a_passed_test_have_its_times() -> None:
    session = Session()
    session.take([["s", "a.py::t\0a.py\0t", 1], ["p", "kw", 10_000_000, 5_000_000, 20_000_000, 5_100_000]])
    assert session.tests["a.py::t"].start == 5.0
    assert session.tests["a.py::t"].stop == pytest.approx(5.12)

    session.take([["t", 30_000_000, 5_200_000]])
    assert session.tests["a.py::t"].stop == pytest.approx(5.23)


def test_records_without_times_leave_them_unknown() -> None:
    session = Session()
    session.take([["s", "a.py::t\0a.py\0t", 1], ["p", "kw", 10, 0, 20, 0], ["t", 30, 0]])

    assert session.tests["a.py::t"].start is None
    assert session.tests["a.py::t"].stop is None


def test_failure_has_its_captured_output() -> None:
    case = Case("a.py::t", "failed", sections=[("Captured stdout call", "\x1b[31mred\x1b[0m"), ("Empty", "")])
    [phase] = session_of(case).tests["a.py::t"].phases

    assert phase.when == "call"
    assert [(section.name, section.text) for section in phase.sections] == [("Captured stdout call", "red")]


def test_long_output_is_joined_from_its_pieces_and_its_end_kept() -> None:
    session = Session()
    pieces = [json.dumps([["blob", 1, "a" * 90_000]]).encode(), json.dumps([["blob", 1, "b" * 90_000]]).encode()]
    report = {
        "nodeid": "a.py::t",
        "when": "call",
        "outcome": "failed",
        "longrepr": "x",
        "sections": [["Out", {"$blob": 1}]],
    }
    session.take([["report", report]], pieces)
    [section] = session.tests["a.py::t"].phases[0].sections

    assert section.text.startswith("… the beginning is left out …\na")
    assert section.text.count("a") == 10_000 + "… the beginning is left out …".count("a")
    assert section.text.endswith("b" * 90_000)


def test_changed_exception_of_a_report_wins() -> None:
    session = Session()
    report = {"nodeid": "a.py::t", "when": "call", "outcome": "failed", "longrepr": None}
    session.take([["report", report, {"longrepr": "contains 1 failed subtest", "outcome": "failed"}]])

    assert session.tests["a.py::t"].phases[0].message == "contains 1 failed subtest"


def test_services_of_a_failed_test_include_those_of_its_fixtures() -> None:
    session = Session()
    report = {"nodeid": "a.py::t", "when": "call", "outcome": "failed", "longrepr": "x",
              "user_properties": [["services", "web"]]}  # fmt: skip
    session.take([["report", report, {"context": {"services": ["db", "web"]}}]])

    assert session.tests["a.py::t"].services == ("web", "db")


def test_skipped_and_expected_failures_have_a_reason() -> None:
    session = session_of(Case("a.py::t", "skipped", reason="no network"))
    report = {"nodeid": "a.py::x", "when": "call", "outcome": "skipped", "longrepr": None, "wasxfail": "bug 3"}
    session.take([["report", report]])

    assert session.tests["a.py::t"].reason == "no network"
    assert session.tests["a.py::x"].reason == "bug 3"


def test_collection_error_belongs_to_its_file() -> None:
    session = Session()
    session.take([["collect", {"nodeid": "a.py", "outcome": "failed", "longrepr": "E   ImportError: x"}, 0]])
    session.take([["collect", {"nodeid": "b.py", "outcome": "passed", "longrepr": None}, 3]])

    assert session.tests["a.py"].phases[0].when == "collect"
    assert session.tests["a.py"].file == "a.py"
    assert session.tests["b.py"].phases == []


def test_session_has_versions_and_the_internal_error() -> None:
    session = session_of()
    session.take([["internal", "Traceback\nRuntimeError: plugin"]])

    assert session.versions == {"python": "3.13.5", "pytest": "9.2.0"}
    assert session.root == "/app"
    assert session.internal_error.endswith("RuntimeError: plugin")
