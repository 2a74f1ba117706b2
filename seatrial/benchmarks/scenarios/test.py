"""Scenario: one test changed in a running environment, until its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import one_test, plain
from benchmarks.place import Place
from benchmarks.projects import PLATFORM, command_of, copy_platform, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_PLAIN = "plain commands"


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_platform(place)
    runner = project.runner
    shell = place.keep(PLATFORM)
    # The plain side uses seatrial's own cluster and services, which are not part of this measurement.
    commands = plain_of(project, cluster=f"seatrial-benchmark-{PLATFORM}", pod=f"{runner.pod}-plain")
    steps = (
        commands.build(),
        commands.load(),
        commands.delete_pod(),
        commands.run(command_of(project, *one_test.SELECTION), {**runner.values, **runner.references}),
        commands.succeeded(),
        commands.logs(),
    )
    alone = (
        *("kubectl", "exec", runner.pod, "-c", "tests", "--", "env", "COVERAGE_FILE=/tmp/alone.coverage"),
        *command_of(project, *one_test.ALONE),
    )

    def plainly() -> Taken:
        taken = one_test.plainly(place, shell, steps)
        # Otherwise seatrial detects a new pod and checks all services again.
        shell.run(*commands.delete_pod())
        return taken

    by_hand = Side(SideInfo(name=_PLAIN, commands=tuple(map(plain.typed, steps)), notes=plain.NOTES), plainly)
    yield one_test.sides(place, shell, plain_side=by_hand, alone=alone)


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
