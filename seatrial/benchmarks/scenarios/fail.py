"""Scenario: a test fails. Measured from the end of pytest to the end of the last command that prints its output."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import plain
from benchmarks.marks import lifetime_in
from benchmarks.outcome import last_result, lifetime_of_pytest, proven, stages_of
from benchmarks.place import Place
from benchmarks.projects import PLATFORM, change_test, command_of, copy_platform, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_INTERVAL = 1.0
"""Seconds between two polls of the pod, faster than a user types."""

_NOTES = (
    *plain.NOTES[:-1],
    "kubectl get pods each second until the pod has ended, because the notes have no command that waits for it",
)
_BROKEN = "def test_that_fails():\n    assert 1 == 2\n"


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_platform(place)
    folder, runner = place.folder(PLATFORM), project.runner
    shell = place.keep(PLATFORM)
    commands = plain_of(project, cluster=f"seatrial-benchmark-{PLATFORM}", pod=f"{runner.pod}-plain")
    run = commands.run(command_of(project), {**runner.values, **runner.references})

    def ours() -> Taken:
        change_test(folder, _BROKEN)
        done = place.seatrial(PLATFORM, "test", codes=(1,))
        result, life = last_result(folder), lifetime_of_pytest(folder)
        proven(done, result, failed=1, sent=1)
        seconds = {Figure.AFTER: done.ended - life.ended, Figure.PYTEST: life.seconds}
        return Taken(seconds, stages_of(result))

    def plainly() -> Taken:
        change_test(folder, _BROKEN)
        for step in (commands.build(), commands.load(), commands.delete_pod(), run):
            shell.run(*step)
        while shell.run(*commands.phase()).text in ("", "Pending", "Running"):
            time.sleep(_INTERVAL)
        logs = shell.run(*commands.logs())
        shell.run(*commands.delete_pod())
        life = lifetime_in(logs.text)
        seconds = {Figure.AFTER: logs.ended - life.ended, Figure.PYTEST: life.seconds}
        return Taken(seconds, {"kubectl logs": logs.seconds})

    steps = (run, commands.phase(), commands.logs())
    yield (
        Side(SideInfo(name=OURS, commands=("seatrial test",)), ours),
        Side(SideInfo(name="plain commands", commands=tuple(map(plain.typed, steps)), notes=_NOTES), plainly),
    )
    shell.run(*commands.delete_pod())


SCENARIO = Scenario(
    name="fail",
    title="a test fails in a run of the whole suite",
    rounds=3,
    goals=(Goal(figure=Figure.AFTER, seconds=1.0),),
    sides=_sides,
)
