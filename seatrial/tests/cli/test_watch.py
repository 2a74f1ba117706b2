from __future__ import annotations

import os
import pty
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from seatrial.cli import watch
from seatrial.cli.watch import Wish, loop, next_wish
from seatrial.interruption import Terminated
from seatrial.model.errors import ExitCode


def runs(wishes: list[Wish | BaseException], codes: list[ExitCode | BaseException]):
    """Return what the loop ran, and how it ended, when these are wished and the runs end so."""
    ran: list[tuple[str, ...]] = []
    said: list[str] = []

    def run(arguments: tuple[str, ...]) -> ExitCode:
        ran.append(arguments)
        code = codes.pop(0) if codes else ExitCode.PASSED
        if isinstance(code, BaseException):
            raise code
        return code

    def wish() -> Wish:
        wanted = wishes.pop(0)
        if isinstance(wanted, BaseException):
            raise wanted
        return wanted

    return ran, loop(run, wish, say=said.append), said


def test_all_first_then_failed_first_on_every_save():
    ran, code, said = runs([Wish.CHANGED, Wish.FAILED, Wish.ALL, Wish.QUIT], [ExitCode.TESTS_FAILED])

    assert ran == [(), ("--failed-first",), ("--last-failed",), ()]
    assert code is ExitCode.PASSED
    assert said == ["watching for changes; Enter: all, f: failed, q: quit"] * 4


def test_ends_as_the_last_run_did():
    assert runs([Wish.CHANGED, Wish.QUIT], [ExitCode.PASSED, ExitCode.TESTS_FAILED])[1] is ExitCode.TESTS_FAILED


def test_ctrl_c_ends_the_run_and_then_the_watch():
    ran, code, _ = runs([Wish.CHANGED, KeyboardInterrupt()], [KeyboardInterrupt(), ExitCode.PASSED])
    assert (len(ran), code) == (2, ExitCode.PASSED)
    assert runs([KeyboardInterrupt()], [KeyboardInterrupt()])[1] is ExitCode.INTERRUPTED


def test_sigterm_is_meant_for_the_watch_itself():
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
    ("keys", "wish"),
    [(b"\n", Wish.ALL), (b"a", Wish.ALL), (b"f", Wish.FAILED), (b"q", Wish.QUIT), (b"xyz q", Wish.QUIT)],
)
def test_keys(keyboard, saved, keys, wish):
    typing = threading.Timer(0.1, keyboard, [keys])
    typing.start()

    assert next_wish(saved[0]) is wish
    typing.join()


def test_the_terminal_is_as_before_afterwards(keyboard, saved):
    before = termios.tcgetattr(sys.stdin.fileno())
    reading, save = saved
    save()
    save()

    assert next_wish(reading) is Wish.CHANGED
    assert termios.tcgetattr(sys.stdin.fileno()) == before


@pytest.mark.usefixtures("no_keyboard")
def test_without_a_terminal_only_saves_count(saved):
    reading, save = saved
    saving = threading.Timer(0.1, save)
    saving.start()

    assert next_wish(reading) is Wish.CHANGED
    saving.join()


@pytest.mark.usefixtures("no_keyboard")
def test_the_whole_command_reruns_on_a_save_and_reads_the_configuration_again(tmp_path, monkeypatch, seatrial):
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / ".seatrial").mkdir()
    ran: list[tuple[str, tuple[str, ...]]] = []

    def run_once(ctx, pytest_args):
        ran.append((ctx.project.runner.image, pytest_args))
        if len(ran) == 1:
            threading.Timer(1.0, _save).start()
        return ExitCode.PASSED

    def _save() -> None:
        (tmp_path / ".seatrial/events.jsonl").write_text("ours, not a change")
        (tmp_path / "tests/test_a.py").write_text("x")
        (tmp_path / "seatrial.toml").write_text('[runner]\nimage = "x:2"\n')

    monkeypatch.setattr("seatrial.cli.test.run_once", run_once)
    wishes = iter([None, Wish.QUIT])
    monkeypatch.setattr(watch, "next_wish", lambda saved: next(wishes) or next_wish(saved))
    began = time.monotonic()
    said = seatrial("watch", "-k", "a")

    assert said.code == 0
    assert ran == [("x:1", ("-k", "a")), ("x:2", ("-k", "a", "--failed-first"))]
    assert time.monotonic() - began < 15


def test_errors_are_told_and_watching_goes_on(monkeypatch, seatrial):
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\n')

    def run_once(ctx, pytest_args):
        Path("seatrial.toml").write_text("[runner]\n")
        return ctx.project

    monkeypatch.setattr("seatrial.cli.test.run_once", run_once)
    monkeypatch.setattr(watch, "next_wish", lambda _: Wish.QUIT)
    said = seatrial("watch")

    assert said.code == 4
    assert "runner.image: is missing" in said.err
    assert "watching for changes" in said.err
