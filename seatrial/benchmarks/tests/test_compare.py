from __future__ import annotations

import pytest

from benchmarks.compare import figures, judge, ratios, schedule, seconds_of, spread
from benchmarks.values import OURS, Figure, Goal, Measured, Sample


def sample(side: str, number: int, whole: float, **others: float) -> Sample:
    more = {Figure(name): seconds for name, seconds in others.items()}
    return Sample(side=side, round=number, seconds={Figure.WHOLE: whole, **more})


# The machine becomes three times as slow in the last round.
DRIFTING = [
    *(sample(OURS, 0, 2.0), sample("plain", 0, 20.0)),
    *(sample(OURS, 1, 2.0), sample("plain", 1, 22.0)),
    *(sample(OURS, 2, 6.0), sample("plain", 2, 60.0)),
]


def test_schedule_alternates_sides() -> None:
    assert schedule([None, None], 2) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_schedule_limits_samples_of_side() -> None:
    assert schedule([None, 1], 3) == [(0, 0), (0, 1), (1, 0), (2, 0)]


def test_spread_returns_median() -> None:
    took = spread([9.0, 1.0, 2.0])

    assert took is not None
    assert (took.median, took.least, took.most, took.count) == (2.0, 1.0, 9.0, 3)


def test_spread_without_values_is_none() -> None:
    assert spread([]) is None
    assert ratios(DRIFTING, "nobody", Figure.WHOLE) is None


def test_ratios_are_paired() -> None:
    times = ratios(DRIFTING, "plain", Figure.WHOLE)

    assert times is not None
    assert (times.median, times.least, times.most) == pytest.approx((10.0, 10.0, 11.0))


def test_ratios_single_peer_sample_is_compared_with_all() -> None:
    times = ratios([*DRIFTING, sample("patient", 0, 120.0)], "patient", Figure.WHOLE)

    assert times is not None
    assert (times.count, times.least, times.most) == (3, 20.0, 60.0)


def test_seconds_of_returns_side_by_round() -> None:
    samples = [sample(OURS, 0, 2.0, after=0.5), sample(OURS, 1, 3.0)]

    assert seconds_of(samples, OURS, Figure.AFTER) == {0: 0.5}


@pytest.mark.parametrize(("times", "met"), [(1 / 8, True), (1 / 10, True), (1 / 12, False)])
def test_judge_relative_goal(times: float, met: bool) -> None:
    judged = judge(Goal(figure=Figure.WHOLE, times=times, peer="plain"), DRIFTING)

    assert judged.reached == pytest.approx(0.1)
    assert judged.met is met


@pytest.mark.parametrize(("seconds", "met"), [(2.0, True), (1.9, False)])
def test_judge_absolute_goal_uses_median(seconds: float, met: bool) -> None:
    judged = judge(Goal(figure=Figure.WHOLE, seconds=seconds), DRIFTING)

    assert (judged.reached, judged.met) == (2.0, met)


@pytest.mark.parametrize(
    "goal", [Goal(figure=Figure.NAMED, seconds=3.0), Goal(figure=Figure.NAMED, times=0.5, peer="plain")]
)
def test_judge_goal_without_samples_is_missed(goal: Goal) -> None:
    assert judge(goal, DRIFTING).met is False
    assert judge(goal, DRIFTING).reached is None


def test_figures_with_goals_come_first() -> None:
    measured = Measured(
        scenario="s",
        title="",
        sides=(),
        goals=(Goal(figure=Figure.AFTER, seconds=1.0), Goal(figure=Figure.NAMED, seconds=1.0)),
        samples=(sample(OURS, 0, 2.0, after=0.5, pytest=1.0),),
    )

    assert figures(measured) == [Figure.AFTER, Figure.WHOLE, Figure.PYTEST]
