"""Workflow commands of GitHub Actions are off while the tests run."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from seatrial.model import event as e
from seatrial.model.event import Event
from seatrial.model.result import Outcome, Stage
from seatrial.sinks.guard import CommandGuard

START = e.StageStarted(stage=Stage.TEST)
END = e.StageEnded(stage=Stage.TEST, outcome=Outcome.DONE, seconds=1.0)
OTHER = e.StageStarted(stage=Stage.READY)


def test_token_is_secret_and_new_for_each_run(events: Callable[..., list[Event]]) -> None:
    tokens = []
    for _ in range(2):
        stream = io.StringIO()
        guard = CommandGuard(stream)
        for event in events((0, OTHER), (1, START), (2, END)):
            guard(event)
        first, _, last = stream.getvalue().strip().split("\n")
        tokens.append(first.removeprefix("::stop-commands::"))
        assert last == f"::{tokens[-1]}::"

    assert all(re.fullmatch(r"[0-9a-f]{32}", token) for token in tokens)
    assert len(set(tokens)) == 2


def test_commands_are_on_again_when_a_run_is_cut_short(events: Callable[..., list[Event]]) -> None:
    stream = io.StringIO()
    guard = CommandGuard(stream, token=lambda: "t")
    guard(events((0, START))[0])
    guard.close()
    guard.close()

    assert stream.getvalue() == "::stop-commands::t\n\n::t::\n"


def test_other_stages_write_nothing(events: Callable[..., list[Event]]) -> None:
    stream = io.StringIO()
    guard = CommandGuard(stream, token=lambda: "t")
    for event in events((0, OTHER), (1, e.StageEnded(stage=Stage.READY, outcome=Outcome.DONE, seconds=1.0))):
        guard(event)
    guard.close()

    assert stream.getvalue() == ""


def test_repeated_start_does_not_change_the_token(events: Callable[..., list[Event]]) -> None:
    stream = io.StringIO()
    tokens = iter(["one", "two"])
    guard = CommandGuard(stream, token=lambda: next(tokens))
    for event in events((0, START), (1, START), (2, END)):
        guard(event)

    assert stream.getvalue() == "::stop-commands::one\n\n::one::\n"
