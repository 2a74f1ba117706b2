from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from seatrial.app import watch_loop
from seatrial.app.watch_loop import Trigger, next_trigger
from seatrial.model.errors import ExitCode


@pytest.fixture
def no_keyboard(monkeypatch):
    """Make stdin a pipe in which nothing ever comes."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield
    os.close(writing)


@pytest.mark.usefixtures("no_keyboard")
def test_watch_reruns_on_a_save_and_reads_the_configuration_again(tmp_path, monkeypatch, seatrial):
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
    triggers = iter([None, Trigger.QUIT])
    monkeypatch.setattr(watch_loop, "next_trigger", lambda saved: next(triggers) or next_trigger(saved))
    began = time.monotonic()
    said = seatrial("watch", "-k", "a")

    assert said.code == 0
    assert ran == [("x:1", ("-k", "a")), ("x:2", ("-k", "a", "--failed-first"))]
    assert time.monotonic() - began < 15


def test_watch_prints_errors_and_continues(monkeypatch, seatrial):
    Path("seatrial.toml").write_text('[runner]\nimage = "x:1"\n')

    def run_once(ctx, pytest_args):
        Path("seatrial.toml").write_text("[runner]\n")
        return ctx.project

    monkeypatch.setattr("seatrial.cli.test.run_once", run_once)
    monkeypatch.setattr(watch_loop, "next_trigger", lambda _: Trigger.QUIT)
    said = seatrial("watch")

    assert said.code == 4
    assert "runner.image: is missing" in said.err
    assert "watching for changes" in said.err
