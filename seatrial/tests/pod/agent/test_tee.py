"""Text of the terminal: which the host renders, and which only plugins in the pod write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pluggy
import pytest
from seatrial.pod.agent import tee as module
from seatrial.pod.agent.tee import Tee

markers = pluggy.HookspecMarker("tee")
implements = pluggy.HookimplMarker("tee")


class Hooks:
    @markers
    def pytest_runtest_logreport(self, write: Any) -> None: ...

    @markers
    def pytest_terminal_summary(self, write: Any) -> None: ...


class Screen:
    """A Tee as the file of a terminal writer: like there, two functions are between a hook and the file."""

    def __init__(self, path: Path, *, verbatim: bool = False) -> None:
        self.path = path
        self.foreign: list[tuple[str, bool]] = []
        self.flushed = 0
        self.tee = Tee(str(path), self.take, self.flush, verbatim=verbatim)

    def take(self, text: str, *, showing: bool) -> None:
        self.foreign.append((text, showing))

    def flush(self) -> None:
        self.flushed += 1

    def write(self, text: str) -> None:
        self._raw(text)

    def _raw(self, text: str) -> None:
        assert self.tee.write(text) == len(text)

    def log(self) -> str:
        self.tee.flush()
        return self.path.read_text()


@pytest.fixture(autouse=True)
def _own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MODULES", {})
    monkeypatch.setattr(module, "_OWN", set())


def call(hook: str, screen: Screen, *, file: str) -> None:
    """Write from a hook in a module with this file name."""
    code = f"def {hook}(write):\n    write('text of {hook}\\n')\n"
    found: dict[str, Any] = {}
    exec(compile(code, file, "exec"), found)
    plugin = type("Plugin", (), {hook: staticmethod(implements(found[hook]))})()
    manager = pluggy.PluginManager("tee")
    manager.add_hookspecs(Hooks)
    manager.register(plugin)
    getattr(manager.hook, hook)(write=screen.write)


def test_text_of_the_terminal_reporter_is_not_foreign(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "log")
    for _ in range(2):
        call("pytest_runtest_logreport", screen, file="/lib/_pytest/terminal.py")

    assert screen.foreign == []
    assert screen.log() == "text of pytest_runtest_logreport\n" * 2
    assert screen.flushed == 0


def test_text_of_a_plugin_is_foreign_and_logged(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "log")
    call("pytest_terminal_summary", screen, file="/app/conftest.py")

    assert screen.foreign == [("text of pytest_terminal_summary\n", False)]
    assert screen.log() == "text of pytest_terminal_summary\n"
    assert screen.flushed == 1


def test_text_while_a_result_is_shown_belongs_to_it(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "log")
    call("pytest_runtest_logreport", screen, file="/app/conftest.py")

    assert screen.foreign == [("text of pytest_runtest_logreport\n", True)]
    screen.tee.flush()
    assert screen.flushed == 0, "the record of the result is flushed later, with the text"


@pytest.mark.parametrize(("hook", "foreign"), [("pytest_terminal_summary", 0), ("pytest_runtest_logreport", 1)])
def test_durations_are_rendered_on_the_host(tmp_path: Path, hook: str, foreign: int) -> None:
    screen = Screen(tmp_path / "log")
    call(hook, screen, file="/lib/_pytest/runner.py")

    assert len(screen.foreign) == foreign


def test_text_without_a_hook_is_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLUGGY", "/nowhere/")
    screen = Screen(tmp_path / "log")
    screen.write("text")

    assert screen.foreign == [("text", False)]


def test_all_text_is_foreign_if_the_host_renders_nothing(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "log", verbatim=True)
    call("pytest_runtest_logreport", screen, file="/lib/_pytest/terminal.py")

    assert screen.foreign == [("text of pytest_runtest_logreport\n", False)]


def test_text_that_is_not_utf8_is_escaped_in_the_log(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "log")
    screen.write("a\udc80é")

    assert screen.log() == "a\\udc80é"


def test_full_disk_does_not_fail_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(tmp_path / "log")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(screen.tee, "_write", full)
    screen.write("text")

    assert screen.log() == ""
    assert screen.tee.fileno() > 2
    assert not screen.tee.isatty()
