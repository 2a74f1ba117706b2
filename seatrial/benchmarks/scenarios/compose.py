"""Scenario: one test changed in a running Docker Compose environment, until its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import one_test, plain
from benchmarks.commands import Shell
from benchmarks.place import IMAGE, Place
from benchmarks.projects import PLATFORM, command_of, copy_platform
from benchmarks.scenarios import Scenario, Side
from benchmarks.values import Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_PLAIN = "plain commands"
_NOTES = (
    "docker run: in the network of seatrial's Compose project, whose services are not part of this measurement",
    "docker run: the suite's environment",
)


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_platform(place)
    assert project.compose is not None
    place.seatrial(PLATFORM, "up", "--env", "compose")
    shell = place.shell(PLATFORM)
    container, network = _runner(shell, project.runner.pod)
    variables = {**project.runner.values, **project.compose.env}
    run = ("docker", "run", "--rm", f"--network={network}", *(f"--env={key}={variables[key]}" for key in variables))
    steps = (
        ("docker", "build", "-t", f"{IMAGE}:latest", "."),
        (*run, f"{IMAGE}:latest", *command_of(project, *one_test.SELECTION)),
    )
    alone = (
        *("docker", "exec", "--env=COVERAGE_FILE=/tmp/alone.coverage", container),
        *command_of(project, *one_test.ALONE),
    )
    by_hand = Side(
        SideInfo(name=_PLAIN, commands=tuple(map(plain.typed, steps)), notes=_NOTES),
        lambda: one_test.plainly(place, shell, steps, reports=False),
    )
    yield one_test.sides(place, shell, "--env", "compose", plain_side=by_hand, alone=alone)


def _runner(shell: Shell, service: str) -> tuple[str, str]:
    """Return the container of the tests and its network."""
    label = f"label=com.docker.compose.service={service}"
    container = shell.run("docker", "ps", "--format={{.Names}}", "--filter", label).text.strip()
    form = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    return container, shell.run("docker", "inspect", "--format", form, container).text.split()[0]


SCENARIO = Scenario(
    name="compose",
    title="one test changed in a running Docker Compose environment",
    rounds=3,
    goals=(Goal(figure=Figure.BESIDES, seconds=1.0),),
    sides=_sides,
)
