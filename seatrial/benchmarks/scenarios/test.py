"""Scenario: one test changed in a running environment, until its verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import plain
from benchmarks.marks import lifetime_in
from benchmarks.outcome import last_result, lifetime_of_pytest, proven, stages_of
from benchmarks.place import Place
from benchmarks.projects import PLATFORM, SELECTED, change_test, command_of, copy_platform, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_PLAIN = "plain commands"
_ALONE = "pytest alone"


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_platform(place)
    folder, runner = place.folder(PLATFORM), project.runner
    shell = place.keep(PLATFORM)
    # The plain side uses seatrial's own cluster and services, which are not part of this measurement.
    commands = plain_of(project, cluster=f"seatrial-benchmark-{PLATFORM}", pod=f"{runner.pod}-plain")
    selection = ("-k", SELECTED)
    steps = (
        commands.build(),
        commands.load(),
        commands.delete_pod(),
        commands.run(command_of(project, *selection), {**runner.values, **runner.references}),
        commands.succeeded(),
        commands.logs(),
    )
    # Without coverage and cache, which belong to seatrial in the kept pod.
    inside = command_of(project, *selection, "-o", "cache_dir=/tmp/alone")
    alone = ("kubectl", "exec", runner.pod, "-c", "tests", "--", "env", "COVERAGE_FILE=/tmp/alone.coverage", *inside)

    def ours() -> Taken:
        change_test(folder)
        done = place.seatrial(PLATFORM, "test", *selection)
        result, life = last_result(folder), lifetime_of_pytest(folder)
        proven(done, result, sent=1)
        seconds = {
            Figure.WHOLE: done.seconds,
            Figure.PYTEST: life.seconds,
            Figure.BESIDES: done.seconds - life.seconds,
            Figure.AFTER: done.ended - life.ended,
        }
        return Taken(seconds, stages_of(result))

    def plainly() -> Taken:
        change_test(folder)
        began = time.monotonic()
        ran = [shell.run(*step) for step in steps]
        whole, ended = time.monotonic() - began, time.time()
        # Otherwise seatrial detects a new pod and checks all services again.
        shell.run(*commands.delete_pod())
        life = lifetime_in(ran[-1].text)
        seconds = {
            Figure.WHOLE: whole,
            Figure.PYTEST: life.seconds,
            Figure.BESIDES: whole - life.seconds,
            Figure.AFTER: ended - life.ended,
        }
        return Taken(seconds, {" ".join(done.argv[:2]): done.seconds for done in ran})

    def by_exec() -> Taken:
        done = shell.run(*alone)
        return Taken({Figure.PYTEST: lifetime_in(f"{done.text}\n{done.said}").seconds})

    # The first run reads files from disk, and nodes have no layer of the image.
    ours()
    plainly()
    yield (
        Side(SideInfo(name=OURS, commands=(f"seatrial test {' '.join(selection)}",)), ours),
        Side(SideInfo(name=_PLAIN, commands=tuple(map(plain.typed, steps)), notes=plain.NOTES), plainly),
        Side(SideInfo(name=_ALONE, commands=(plain.typed(alone),), notes=("in seatrial's warm pod",)), by_exec),
    )


SCENARIO = Scenario(
    name="test",
    title="one test changed in a running environment",
    rounds=3,
    goals=(
        Goal(figure=Figure.WHOLE, times=1 / 8, peer=_PLAIN),
        Goal(figure=Figure.BESIDES, seconds=1.0),
    ),
    sides=_sides,
)
