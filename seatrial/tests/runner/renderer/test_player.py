from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from seatrial.model.errors import ExitCode
from seatrial.model.verdict import Verdict
from seatrial.pod.agent.wire import COLLECTED_MARK
from seatrial.runner.renderer.feed import Feed, Output, RecordPlace, SessionRecord, StreamEnd
from seatrial.runner.renderer.player import Player

from runner.session_records import SESSION, loud

NODEID = "t/test_a.py::test_a"
START = ["s", f"{NODEID}\0t/test_a.py\0test_a", 7]
DIED = StreamEnd(
    Verdict(exit=ExitCode.INCONCLUSIVE, message="pytest died", reason="signal 9", suspects=(NODEID,)),
)


class Hooks:
    """Records the calls of pytest's hooks: name and arguments. Reports are built by the real pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._real = config.hook
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        if name == "pytest_report_from_serializable":
            return self._real.pytest_report_from_serializable
        if name == "pytest_warning_recorded":
            return SimpleNamespace(call_historic=lambda kwargs: self.calls.append((name, kwargs)))
        return lambda **kwargs: self.calls.append((name, kwargs))

    def named(self, name: str) -> list[Any]:
        """Return the arguments of the calls of one hook."""
        return [kwargs for called, kwargs in self.calls if called == name]


class Terminal:
    """A terminal reporter that keeps what is written."""

    verbosity = 0
    currentfspath: Any = None

    def __init__(self) -> None:
        self.text = ""
        self._tw = SimpleNamespace(fullwidth=80, flush=lambda: None, write=self._write)

    def _write(self, text: str) -> None:
        self.text += text

    def write_line(self, line: str) -> None:
        self.text += f"{line}\n"

    def ensure_newline(self) -> None:
        if self.text and not self.text.endswith("\n"):
            self.text += "\n"


class Stage:
    """A player with recorded hooks and a recorded terminal."""

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        self.hooks = Hooks(config)
        self.terminal = Terminal()
        self.session: Any = SimpleNamespace(shouldfail=False, shouldstop=False)
        self.config: Any = SimpleNamespace(hook=self.hooks, option=SimpleNamespace(verbose=0))
        self.junit: Any = SimpleNamespace(properties=[])
        self.junit.property = lambda name, value: self.junit.properties.append((name, value))
        make: Any = Player
        self.player: Player = make(
            self.config,
            self.session,
            SESSION[1],
            terminal=self.terminal,
            feed=Feed(directory / "frames", directory / "output", io.StringIO()),
            junit=self.junit,
            where="pod shop/test-runner",
            files={"files/": "/runs/1/reports/"},
            reply=None,
        )

    def play(self, *records: list[Any]) -> None:
        """Play records, in a log that does not exist."""
        for record in records:
            assert not self.player.play(SessionRecord(record, RecordPlace(0, 0, 0)))


@pytest.fixture
def stage(pytestconfig: pytest.Config, tmp_path: Path) -> Stage:
    """A player of a new session."""
    return Stage(pytestconfig, tmp_path)


def test_session_starts_once_with_its_first_record(stage: Stage) -> None:
    stage.play(["count", 2], ["count", 3])

    assert [name for name, _ in stage.hooks.calls] == ["pytest_sessionstart"]
    assert stage.session.testscollected == 3


def test_text_and_warnings_do_not_start_the_session(stage: Stage) -> None:
    """Plugins print and warn while they are configured."""
    stage.play(["text", "configured\n", 0, 0])

    assert stage.terminal.text == "configured\n"
    assert stage.hooks.calls == []


def test_header_names_the_pod(stage: Stage) -> None:
    stage.play(["header", ["rootdir: /app", ["plugins: x", "seed: 1"]]])

    lines = stage.terminal.text.splitlines()
    assert lines == ["platform pod", "runs in: pod shop/test-runner", "plugins: x", "seed: 1", "rootdir: /app"]


def test_header_is_left_out_of_quiet_output(stage: Stage) -> None:
    stage.terminal.verbosity = -1

    stage.play(["header", ["rootdir: /app"]])

    assert stage.terminal.text == ""


def test_passed_test_is_reported_with_the_hooks_of_pytest(stage: Stage) -> None:
    stage.play(START, ["p", "kw", 100, 1, 100, 2], ["t", 100, 3])

    assert [name for name, _ in stage.hooks.calls] == [
        "pytest_sessionstart",
        "pytest_runtest_logstart",
        *["pytest_runtest_logreport"] * 3,
        "pytest_runtest_logfinish",
    ]
    assert stage.hooks.calls[-1][1] == {"nodeid": NODEID, "location": ("t/test_a.py", 7, "test_a")}


def test_report_of_a_test_is_shown(stage: Stage) -> None:
    stage.play(*loud(1, 3))

    (call,) = stage.hooks.named("pytest_runtest_logreport")
    assert call["report"].sections == [("Captured stdout call", "111")]


def test_collected_tests_have_the_ids_that_they_have_in_the_pod(stage: Stage) -> None:
    tree = [["<Module a.py>", "a.py", ""], ["<Function x>", "a.py::x", "What it tests."]]

    stage.play(["collected", 5, 5, [tree], ["line of a plugin"]])

    (item,) = stage.session.items
    assert stage.session.testscollected == 5
    assert item.nodeid == "a.py::x"
    assert repr(item) == "<Function x>"
    assert [repr(each) for each in item.listchain()[1:]] == ["<Module a.py>", "<Function x>"]
    assert item.obj.__doc__ == "What it tests."
    assert stage.player.lines == ["line of a plugin"]


def test_deselected_tests_are_counted(stage: Stage) -> None:
    stage.play(["deselected", 3])

    assert len(stage.hooks.named("pytest_deselected")[0]["items"]) == 3


def test_collection_error_is_reported_with_the_number_of_its_tests(stage: Stage) -> None:
    results: list[int] = []
    stage.hooks.calls = Reports(results)

    stage.play(["collect", {"nodeid": "a", "outcome": "failed", "longrepr": "x", "result": None, "sections": [],
                            "$report_type": "CollectReport"}, 3])  # fmt: skip

    assert results == [3]


class Reports(list[Any]):
    """Records how many results a report has while it is shown: they are dropped afterwards."""

    def __init__(self, results: list[int]) -> None:
        super().__init__()
        self.results = results

    def append(self, call: Any) -> None:
        if call[0] == "pytest_collectreport":
            self.results.append(len(call[1]["report"].result))


@pytest.mark.parametrize(
    ("category", "base"), [("UserWarning", UserWarning), ("ShopWarning", Warning), ("print", Warning)]
)
def test_warning_has_a_category_of_its_name(stage: Stage, category: str, base: type[Warning]) -> None:
    """A category that is no builtin warning is made: the pod's code is not imported here."""
    stage.play(["warning", {"text": "w", "category": category, "filename": "/app/a.py", "lineno": 1, "line": "  x = 1 ",
                            "suffix": "", "when": "runtest", "nodeid": "a", "location": ["a", 1, "b"]}])  # fmt: skip

    (recorded,) = stage.hooks.named("pytest_warning_recorded")
    message = recorded["warning_message"]
    assert message.category.__name__ == category
    assert issubclass(message.category, base)
    assert message.line == "  x = 1 "
    assert recorded["location"] == ("a", 1, "b")


def test_text_of_the_summary_waits_for_the_summary(stage: Stage) -> None:
    stage.play(["text", "in the summary\n", 1, 0], ["text", "after it\n", 2, 0], ["text", "now\n", 0, 0])
    assert stage.terminal.text == "now\n"

    stage.player.write_summary()
    assert stage.terminal.text == "now\nin the summary\n"

    stage.player.after()
    assert stage.terminal.text == "now\nin the summary\nafter it\n"


def test_text_after_the_end_of_the_session_is_written_at_once(stage: Stage) -> None:
    stage.play(["finishing", 0, "", ""], ["end", {}], ["text", "saved\n", 2, 0])

    assert stage.terminal.text == "saved\n"


def test_text_names_collected_files_by_their_host_paths(stage: Stage) -> None:
    stage.play(["text", f"saved to {COLLECTED_MARK}/files/r.html\n", 0, 0])

    assert stage.terminal.text == "saved to /runs/1/reports/r.html\n"


def test_end_of_the_session_has_the_exit_status_of_the_pod(stage: Stage) -> None:
    stage.play(["finishing", 1, "stopping after 1 failures", ""], ["end", {"seconds": 1.5}])

    assert [each["exitstatus"] for each in stage.hooks.named("pytest_sessionfinish")] == [1]
    assert stage.session.shouldfail == "stopping after 1 failures"


def test_end_of_the_run_after_the_end_of_the_session_changes_nothing(stage: Stage) -> None:
    stage.play(["finishing", 0, "", ""], ["end", {}])

    assert stage.player.play(DIED)
    assert len(stage.hooks.named("pytest_sessionfinish")) == 1
    assert stage.hooks.named("pytest_runtest_logreport") == []


def test_suspects_of_a_session_without_an_end_are_reported_as_failed(stage: Stage) -> None:
    stage.play(START)

    assert stage.player.play(DIED)

    (call,) = stage.hooks.named("pytest_runtest_logreport")
    assert call["report"].outcome == "failed"
    assert call["report"].longrepr == "pytest died\nsignal 9"
    assert call["report"].location == ("t/test_a.py", 7, "test_a")
    assert [each["exitstatus"] for each in stage.hooks.named("pytest_sessionfinish")] == [1]
    assert stage.session.shouldfail == "seatrial: pytest died"


def test_output_of_processes_begins_on_a_new_line(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    stage.play(["count", 1])
    stage.terminal.text = "a.py ."

    assert not stage.player.play(Output(b"from a process\n"))

    assert stage.terminal.text == "a.py .\n"
    assert capfd.readouterr().out == "from a process\n"


def test_properties_of_the_suite_are_written_to_the_junit_file(stage: Stage) -> None:
    stage.play(["property", "version", "1.2"])

    assert stage.junit.properties == [("version", "1.2")]


def test_records_of_unknown_kinds_are_ignored(stage: Stage) -> None:
    """Only the verdict reads some of them."""
    stage.play(["imports", {"a": ["b"]}])

    assert stage.hooks.calls == []
