"""Which stage accounts for which part of a run's duration."""

from __future__ import annotations

import pytest
from seatrial.diagnose.critical_path import seconds_on_path
from seatrial.model.result import Outcome, Stage, StageResult


def stage(name, started, seconds):
    return StageResult(stage=name, outcome=Outcome.DONE, started=started, seconds=seconds)


def test_stages_in_sequence_account_for_their_own_time():
    stages = [stage(Stage.PREFLIGHT, 0, 1), stage(Stage.CLUSTER, 1, 4)]

    assert seconds_on_path(stages, 5) == {Stage.PREFLIGHT: 1, Stage.CLUSTER: 4}


def test_of_parallel_stages_the_one_that_ends_last_counts():
    stages = [stage(Stage.CLUSTER, 0, 10), stage(Stage.BUILD, 0, 3), stage(Stage.DELIVER, 3, 9)]

    assert seconds_on_path(stages, 13) == {Stage.CLUSTER: 3, Stage.BUILD: 0, Stage.DELIVER: 9}


def test_seconds_add_up_to_the_time_that_any_stage_ran():
    stages = [stage(Stage.CLUSTER, 0.5, 4.2), stage(Stage.BUILD, 0.7, 5.1), stage(Stage.TEST, 6, 1)]

    assert sum(seconds_on_path(stages, 7.5).values()) == pytest.approx(4.2 + 1.1 + 1)
