"""Scenario: create everything, run all tests, delete everything."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import plain
from benchmarks.commands import Done, Failed
from benchmarks.outcome import last_result, proven, stages_of
from benchmarks.place import Place
from benchmarks.projects import PLATFORM, change_test, chart_images, command_of, copy_platform, plain_of
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_PLAIN = "plain commands"
_PASSED = re.compile(r"=+ (\d+) passed\b(?!.*\b(failed|error))")


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    project = copy_platform(place)
    folder, shell = place.folder(PLATFORM), place.shell(PLATFORM)
    release, runner = project.release[0], project.runner
    commands = plain_of(project, pod=runner.pod)
    services = f"app in ({','.join(project.service)})"
    config = project.cluster.config
    assert config is not None
    chart, values = Path(release.chart).relative_to(folder), [path.relative_to(folder) for path in release.values]
    others = chart_images(shell, project)
    steps = (
        commands.create(str(config.relative_to(folder))),
        commands.build(),
        commands.load(*others),
        commands.install(release.name, str(chart), list(map(str, values))),
        commands.pods_ready(services),
        commands.jobs_complete(),
        commands.run(command_of(project), {**runner.values, **runner.references}),
        commands.succeeded(),
        commands.logs(),
        commands.delete(),
    )

    def ours() -> Taken:
        change_test(folder)
        done = place.seatrial(PLATFORM, "run")
        result = last_result(folder)
        proven(done, result)
        return Taken({Figure.WHOLE: done.seconds}, stages_of(result))

    def plainly() -> Taken:
        change_test(folder)
        began = time.monotonic()
        ran = [shell.run(*step) for step in steps]
        whole = time.monotonic() - began
        _all_passed(ran[steps.index(commands.logs())])
        return Taken({Figure.WHOLE: whole}, {" ".join(done.argv[:2]): done.seconds for done in ran})

    # Fill the caches that both sides keep before the first sample: the engine's build cache, and the volume of
    # seatrial's registry, to which the first run on a machine pushes the chart's images.
    place.seatrial(PLATFORM, "run")
    shell.run(*commands.build())
    yield (
        Side(SideInfo(name=OURS, commands=("seatrial run",)), ours),
        Side(SideInfo(name=_PLAIN, commands=tuple(map(plain.typed, steps)), notes=plain.NOTES), plainly),
    )


def _all_passed(logs: Done) -> None:
    if not _PASSED.search(logs.text):
        raise Failed(logs, "all tests passed")


SCENARIO = Scenario(
    name="cold",
    title="create the environment, run all tests, delete it; one test changed since the previous run",
    rounds=2,
    goals=(Goal(figure=Figure.WHOLE, times=1 / 2.5, peer=_PLAIN),),
    sides=_sides,
)
