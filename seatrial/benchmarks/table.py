"""Format a report as text and Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.compare import Judged, Spread, figures, judge, ratios, seconds_of, spread
from benchmarks.values import OURS, Figure, Machine, Measured, Report

__all__ = ["machine_lines", "markdown", "render", "scenario_lines"]

_SAYS = {
    Figure.WHOLE: "from start to end",
    Figure.PYTEST: "pytest's own process",
    Figure.BESIDES: "everything except pytest's own process",
    Figure.AFTER: "from pytest's end to the end",
    Figure.NAMED: "from the kubelet's event to the output",
}
_TENTHS = 10.0
_GIB = 1 << 30


def render(report: Report) -> str:
    """Return the whole report."""
    lines = [*machine_lines(report.machine), f"{report.started:%Y-%m-%d %H:%M} UTC, commit {report.commit}"]
    for measured in report.scenarios:
        lines += ["", *scenario_lines(measured)]
    return "\n".join(lines) + "\n"


def machine_lines(machine: Machine) -> Iterator[str]:
    """Yield the machine and versions, without which the figures are meaningless."""
    yield f"{machine.cpus} CPUs ({machine.cpu}), {machine.memory / _GIB:.0f} GiB, {machine.system}, {machine.kernel}"
    yield ", ".join(f"{name} {version}" for name, version in machine.versions.items())


def scenario_lines(measured: Measured) -> Iterator[str]:
    """Yield a scenario: its figures by side, then its goals."""
    yield f"{measured.scenario}: {measured.title}"
    width = max(len(side.name) for side in measured.sides)
    for figure in figures(measured):
        yield f"  {_SAYS[figure]}"
        for side in measured.sides:
            took = spread(seconds_of(measured.samples, side.name, figure).values())
            if took is not None:
                beside = ratios(measured.samples, side.name, figure) if side.name != OURS else None
                yield f"    {side.name:{width}}  {_took(took)}{_beside(beside)}".rstrip()
    for goal in measured.goals:
        yield f"  {_goal(judge(goal, measured.samples))}"
    loads = spread(sample.load for sample in measured.samples)
    if loads is not None and loads.most:
        yield f"  load before a sample: {loads.least:.1f} to {loads.most:.1f}"


def markdown(report: Report) -> str:
    """Return the Markdown table of the figures, with machine and commit above it."""
    lines = [
        f"Measured on {report.started:%Y-%m-%d}, commit {report.commit}:",
        *(f"{line}." for line in (", ".join(machine_lines(report.machine)),)),
        "",
        "| scenario | figure | side | seconds (least to most) | ratio (least to most) | samples | goal |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for measured in report.scenarios:
        for figure in figures(measured):
            lines += _rows(measured, figure)
    return "\n".join(lines) + "\n"


def _rows(measured: Measured, figure: Figure) -> Iterator[str]:
    """Yield one row for each side that has the figure."""
    for side in measured.sides:
        took = spread(seconds_of(measured.samples, side.name, figure).values())
        if took is None:
            continue
        beside = ratios(measured.samples, side.name, figure) if side.name != OURS else None
        goals = [
            _short_goal(judge(goal, measured.samples))
            for goal in measured.goals
            if goal.figure is figure and (goal.peer or OURS) == side.name
        ]
        span = f" ({_seconds(took.least)} to {_seconds(took.most)})" if took.count > 1 else ""
        cells = (
            f"`{measured.scenario}`",
            _SAYS[figure],
            side.name,
            f"{_seconds(took.median)}{span}",
            _beside(beside).strip(),
            str(took.count),
            "; ".join(goals),
        )
        yield f"| {' | '.join(cells)} |"


def _short_goal(judged: Judged) -> str:
    goal = judged.goal
    wanted = f"{goal.seconds:g} s" if goal.seconds is not None else f"x {1 / (goal.times or 1):g}"
    return f"{wanted}: {'met' if judged.met else 'missed'}"


def _took(took: Spread) -> str:
    spans = f"({_seconds(took.least)} to {_seconds(took.most)}, {took.count} times)" if took.count > 1 else "(once)"
    return f"{_seconds(took.median):>7} s  {spans:32}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= _TENTHS else f"{seconds:.2f}"


def _beside(times: Spread | None) -> str:
    if times is None:
        return ""
    span = f" ({times.least:.1f} to {times.most:.1f})" if times.count > 1 else ""
    return f"  x {times.median:.1f}{span}"


def _goal(judged: Judged) -> str:
    goal = judged.goal
    if goal.seconds is not None:
        wanted = f"{_SAYS[goal.figure]} at most {goal.seconds:g} s"
        reached = "not measured" if judged.reached is None else f"{_seconds(judged.reached)} s"
    else:
        wanted = f"{_SAYS[goal.figure]} at most 1/{1 / (goal.times or 1):g} of {goal.peer}"
        reached = "not measured" if not judged.reached else f"1/{1 / judged.reached:.1f}"
    return f"{'met   ' if judged.met else 'MISSED'}  {wanted}: {reached}"
