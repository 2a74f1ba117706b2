"""Records of session data: JSON of any values, warnings, JUnit properties."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config import get_config
from seatrial.pod.agent import session_records
from seatrial.pod.agent.session_records import collected_tree, junit_recorder, options, safe_json, warning_record


class Hostile:
    """Its text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no")


CYCLE: list[Any] = [1]
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, "é\ud800", None, 1.5], [1, "é\ud800", None, 1.5]),
        ({"a": Path("/x")}, {"a": "/x"}),
        ([Hostile()], ["<Hostile: RuntimeError in __str__>"]),
        ({(1, 2): Hostile()}, {"(1, 2)": "<Hostile: RuntimeError in __str__>"}),
        ({None: {1}}, {"null": "{1}"}),
    ],
    ids=["json", "default", "hostile", "keys", "null-key"],
)
def test_safe_json_converts_any_value(value: object, expected: object) -> None:
    text = safe_json(value)

    assert text.isascii()
    assert json.loads(text) == expected


def test_safe_json_ends_at_cycles() -> None:
    found = json.loads(safe_json(CYCLE))

    depth = 0
    while isinstance(found, list):
        found, depth = found[1], depth + 1
    assert 1 < depth < 50


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.Config]:
    """Return a function that parses arguments in an empty project."""
    monkeypatch.chdir(tmp_path)

    def config(*arguments: str) -> pytest.Config:
        made = get_config([])
        made.parse(["-p", "no:seatrial", f"--rootdir={tmp_path}", *arguments])
        return made

    return config


def test_options_are_those_that_the_renderer_needs(config: Callable[..., pytest.Config], tmp_path: Path) -> None:
    found = options(config("-vv", "-o", "console_output_style=count", "--tb=short"), None, verbatim=False)

    assert (found["options"]["verbose"], found["options"]["tbstyle"]) == (2, "short")
    assert found["ini"]["console_output_style"] == "count"
    assert found["rootdir"] == str(tmp_path)
    assert f"pytest-{pytest.__version__}, pluggy-" in found["platform"]
    assert " -- /" in found["platform"], "verbose output has the path of the interpreter"
    assert (found["terminal"], found["showfspath"]) == (False, None)
    json.dumps(found)


@pytest.mark.parametrize(("variable", "ci"), [("CI", True), ("BUILD_NUMBER", True), ("CITY", False)])
def test_options_say_whether_the_pod_counts_as_ci(
    config: Callable[..., pytest.Config], monkeypatch: pytest.MonkeyPatch, variable: str, ci: bool
) -> None:
    """pytest does not truncate its summary then."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "1")

    assert options(config(), None, verbatim=False)["ci"] is ci


def test_path_of_files_is_shown_as_the_terminal_reporter_decides(config: Callable[..., pytest.Config]) -> None:
    terminal = SimpleNamespace(showfspath=1)

    assert options(config(), terminal, verbatim=False)["showfspath"] is True
    assert options(config(), terminal, verbatim=True)["showfspath"] is None


def documented() -> None:
    """Say   what it does.

    More.
    """


class Node:
    """A node of pytest, as far as the tree needs it."""

    def __init__(self, name: str, obj: object = None) -> None:
        self.nodeid, self.name = name, name
        if obj is not None:
            self.obj = obj

    def __str__(self) -> str:
        return f"<{self.name}>"

    def listchain(self) -> list[Node]:
        return [Node("session"), Node("a.py"), self]


def test_collected_tree_has_names_and_docstrings_without_the_session() -> None:
    assert collected_tree([Node("a.py::a", documented)]) == [
        [["<a.py>", "a.py", ""], ["<a.py::a>", "a.py::a", "Say   what it does.\n\nMore."]]
    ]


def warned(**more: Any) -> warnings.WarningMessage:
    values = {"message": UserWarning("careful"), "category": UserWarning, "filename": __file__, "lineno": 1}
    return warnings.WarningMessage(**{**values, **more})


def test_warning_has_its_source_line() -> None:
    found = warning_record(warned(), "runtest", "a.py::a", ("a.py", 1, "a"))

    assert (found["text"], found["category"], found["module"]) == ("careful", "UserWarning", "builtins")
    assert found["line"].startswith('"""Records of session data')
    assert (found["suffix"], found["when"], found["nodeid"], found["location"]) == (
        "", "runtest", "a.py::a", ("a.py", 1, "a"),
    )  # fmt: skip


def test_warning_keeps_a_given_line() -> None:
    assert warning_record(warned(line="given"), "runtest", "", None)["line"] == "given"


def test_warning_has_no_line_if_a_test_replaced_file_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("mocked")

    monkeypatch.setattr(session_records, "_getline", broken)

    assert warning_record(warned(), "runtest", "", None)["line"] == ""


def test_warning_about_a_resource_says_how_to_trace_it() -> None:
    found = warning_record(warned(source=object()), "runtest", "", None)

    assert "tracemalloc" in found["suffix"]


def test_junit_properties_are_recorded(config: Callable[..., pytest.Config]) -> None:
    from _pytest.junitxml import xml_key  # noqa: PLC0415

    records: list[str] = []
    made = config("-o", "junit_family=legacy")
    junit_recorder(made, records.append)
    recorder: Any = made.stash[xml_key]

    recorder.add_global_property("a", 1)
    recorder.node_reporter("a.py::a").add_attribute("b", Hostile())
    recorder.node_reporter(SimpleNamespace(nodeid="a.py::a")).add_property("c", "d")

    assert recorder.family == "xunit1"
    assert [json.loads(each) for each in records] == [
        ["property", "a", "1"],
        ["attribute", "a.py::a", "b", "<Hostile: RuntimeError in __str__>"],
        ["attribute", "a.py::a", "c", "d"],
    ]
