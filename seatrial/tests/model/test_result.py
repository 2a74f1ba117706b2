"""The content of `result.json`: complete, and readable by the next version."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import EnvironmentId, RunId
from seatrial.model.result import (
    RESULT_SCHEMA,
    Counts,
    ImageUsed,
    Outcome,
    Problem,
    RunResult,
    Stage,
    StageResult,
    TreeProof,
)

RESULT = RunResult(
    run=RunId("r"),
    environment=EnvironmentId("e"),
    started=datetime(2026, 1, 1, tzinfo=UTC),
    seconds=1.5,
    exit=ExitCode.ENVIRONMENT,
    verdict="not ready",
    problem=Problem(message="web is not ready", hint="seatrial logs web"),
    counts=Counts(collected=2, passed=1, not_run={"stand-in": 1}),
    stages=(
        StageResult(
            stage=Stage.READY, outcome=Outcome.FAILED, started=0.5, seconds=1.0, facts={"services": "1 of 2"},
            findings=(Finding(cause="Crash", subject=ObjectRef(kind="Pod", name="web"), message="m", fatal=True),),
        ),
    ),
    images=(ImageUsed(reference="web:1", digest="sha256:1"),),
    tree=TreeProof(host="1", pod="1", files=3),
)  # fmt: skip


def test_result_is_read_as_it_was_written() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RESULT), type=RunResult) == RESULT


def test_values_are_plain_json() -> None:
    found = json.loads(msgspec.json.encode(RESULT))

    assert (found["schema"], found["exit"], found["started"]) == (RESULT_SCHEMA, 10, "2026-01-01T00:00:00Z")
    assert (found["stages"][0]["stage"], found["stages"][0]["outcome"]) == ("ready", "failed")
    assert found["stages"][0]["findings"][0]["subject"]["name"] == "web"


def test_fields_of_a_later_version_are_ignored() -> None:
    """They are added without another schema version."""
    found = json.loads(msgspec.json.encode(RESULT))
    found["field-of-a-later-version"] = {"a": 1}
    found["counts"]["flaky"] = 3

    assert msgspec.convert(found, RunResult) == RESULT


def test_missing_optional_fields_have_defaults() -> None:
    required = ("run", "environment", "started", "seconds", "exit", "verdict")
    found = json.loads(msgspec.json.encode(RESULT))

    result = msgspec.convert({name: found[name] for name in required}, RunResult)

    assert (result.counts, result.stages, result.tree, result.kept) == (Counts(), (), None, False)


def test_stages_are_in_the_order_of_their_start() -> None:
    assert [stage.value for stage in Stage] == [
        "preflight", "cluster", "build", "deliver", "install", "ready", "test", "collect", "teardown",
    ]  # fmt: skip
