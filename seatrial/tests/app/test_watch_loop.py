from __future__ import annotations

import os
import pty
import sys
import termios
import threading

import pytest
from seatrial.app.watch_loop import Trigger, loop, next_trigger
from seatrial.interruption import Terminated
from seatrial.model.errors import ExitCode


def runs(triggers: list[Trigger | BaseException], codes: list[ExitCode | BaseException]):
    """Return what the loop ran, and how it ended, when these are triggered and the runs end so."""
    ran: list[tuple[str, ...]] = []
    said: list[str] = []

    def run(arguments: tuple[str, ...]) -> ExitCode:
        ran.append(arguments)
        code = codes.pop(0) if codes else ExitCode.PASSED
        if isinstance(code, BaseException):
            raise code
        return code

    def trigger() -> Trigger:
        wanted = triggers.pop(0)
        if isinstance(wanted, BaseException):
            raise wanted
        return wanted

    return ran, loop(run, trigger, say=said.append), said


def test_loop_runs_all_tests_then_failed_ones_first_on_every_save():
    ran, code, said = runs([Trigger.CHANGED, Trigger.FAILED, Trigger.ALL, Trigger.QUIT], [ExitCode.TESTS_FAILED])

    assert ran == [(), ("--failed-first",), ("--last-failed",), ()]
    assert code is ExitCode.PASSED
    assert said == ["watching for changes; Enter: all, f: failed, q: quit"] * 4


def test_loop_returns_the_code_of_the_last_run():
    assert runs([Trigger.CHANGED, Trigger.QUIT], [ExitCode.PASSED, ExitCode.TESTS_FAILED])[1] is ExitCode.TESTS_FAILED


def test_ctrl_c_ends_the_run_and_then_the_loop():
    ran, code, _ = runs([Trigger.CHANGED, KeyboardInterrupt()], [KeyboardInterrupt(), ExitCode.PASSED])
    assert (len(ran), code) == (2, ExitCode.PASSED)
    assert runs([KeyboardInterrupt()], [KeyboardInterrupt()])[1] is ExitCode.INTERRUPTED


def test_sigterm_ends_the_loop():
    with pytest.raises(Terminated):
        runs([], [Terminated()])


@pytest.fixture
def saved():
    """A pipe that tells saves: its reading end, and what writes to it."""
    reading, writing = os.pipe()
    yield reading, lambda: os.write(writing, b".")
    os.close(reading)
    os.close(writing)


@pytest.fixture
def keyboard(monkeypatch):
    """Make stdin a terminal, and return what types on it."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield lambda keys: os.write(ours, keys)
    os.close(ours)


@pytest.fixture
def no_keyboard(monkeypatch):
    """Make stdin a pipe in which nothing ever comes."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield
    os.close(writing)


@pytest.mark.parametrize(
    ("keys", "trigger"),
    [(b"\n", Trigger.ALL), (b"a", Trigger.ALL), (b"f", Trigger.FAILED), (b"q", Trigger.QUIT), (b"xyz q", Trigger.QUIT)],
)
def test_key_selects_the_trigger(keyboard, saved, keys, trigger):
    typing = threading.Timer(0.1, keyboard, [keys])
    typing.start()

    assert next_trigger(saved[0]) is trigger
    typing.join()


def test_next_trigger_restores_the_terminal(keyboard, saved):
    before = termios.tcgetattr(sys.stdin.fileno())
    reading, save = saved
    save()
    save()

    assert next_trigger(reading) is Trigger.CHANGED
    assert termios.tcgetattr(sys.stdin.fileno()) == before


@pytest.mark.usefixtures("no_keyboard")
def test_next_trigger_without_a_terminal_waits_for_saves(saved):
    reading, save = saved
    saving = threading.Timer(0.1, save)
    saving.start()

    assert next_trigger(reading) is Trigger.CHANGED
    saving.join()
