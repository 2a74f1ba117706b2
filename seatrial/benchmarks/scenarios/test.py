"""Scenario: one test changed in a running environment, until its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import one_test, plain
from benchmarks.place import Place
from benchmarks.projects import PLATFORM, SELECTED, command_of, copy_platform, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_PLAIN = "plain commands"


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_platform(place)
    runner = project.runner
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

    def plainly() -> Taken:
        taken = one_test.plainly(place, shell, steps)
        # Otherwise seatrial detects a new pod and checks all services again.
        shell.run(*commands.delete_pod())
        return taken

    # The first run reads files from disk, and nodes have no layer of the image.
    one_test.by_seatrial(place, *selection)
    plainly()
    yield (
        Side(
            SideInfo(name=OURS, commands=(f"seatrial test {' '.join(selection)}",)),
            lambda: one_test.by_seatrial(place, *selection),
        ),
        Side(SideInfo(name=_PLAIN, commands=tuple(map(plain.typed, steps)), notes=plain.NOTES), plainly),
        Side(
            SideInfo(name="pytest alone", commands=(plain.typed(alone),), notes=("in seatrial's warm pod",)),
            lambda: one_test.by_pytest(shell, alone),
        ),
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
