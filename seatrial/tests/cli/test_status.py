from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from seatrial.app.environment_status import EnvironmentStatus, ReleaseStatus, RunnerStatus, WorkloadStatus
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.names import EnvironmentId

RECORD = EnvironmentRecord(
    id=EnvironmentId("ab"),
    project="/p",
    command="up",
    provider="kind",
    cluster="it",
    namespace="pr-42",
    created=datetime(2026, 1, 1, 12, tzinfo=UTC),
    expires=datetime(2026, 1, 2, 12, tzinfo=UTC),
)
UP = EnvironmentStatus(
    up=True,
    environment=RECORD,
    kubernetes="v1.34.4",
    releases=(
        ReleaseStatus(name="shop", namespace="pr-42", status="deployed", revision=3),
        ReleaseStatus(name="db", namespace="pr-42", status="", revision=0),
    ),
    workloads=(
        WorkloadStatus(kind="Deployment", namespace="pr-42", name="web", ready=True, waits_for="", images=("web:1",)),
        WorkloadStatus(kind="Pod", namespace="pr-42", name="db", ready=False, waits_for="image db:1", images=("db:1",)),
    ),
    runner=RunnerStatus(pod="test-runner", image="t:1", state="ready", next="use it"),
    stand_ins={"db:1": "postgres:17"},
)


@pytest.fixture
def status_is(monkeypatch):
    def status_is(status: EnvironmentStatus) -> None:
        monkeypatch.setattr("seatrial.app.environment_status.environment_status", lambda *_: status)

    return status_is


def test_status_prints_releases_runner_and_workloads(seatrial, project, status_is):
    status_is(UP)

    lines = seatrial("status").out.splitlines()

    assert lines[0] == "cluster  it (kind, Kubernetes v1.34.4), environment pr-42"
    assert lines[1].startswith("expires  2026-01-0")
    assert lines[2:] == [
        "release  pr-42/shop: deployed, revision 3",
        "release  pr-42/db: not installed",
        "runner   test-runner: ready; the next test will use it",
        "  web  ready",
        "  db   waits for image db:1 (stands in for postgres:17)",
    ]
    document = json.loads(seatrial("status", "--json").out)
    assert (document["up"], document["environment"]["cluster"]) == (True, "it")


def test_status_without_an_environment_names_the_command_that_creates_one(seatrial, project, status_is):
    status_is(EnvironmentStatus(up=False, state="down"))

    assert seatrial("status").out == "no environment is up; seatrial up creates one\n"


@pytest.mark.parametrize(
    ("state", "hint"), [("stopped", "seatrial up or seatrial test starts it"), ("gone", "creates")]
)
def test_status_of_a_silent_cluster_has_a_hint(seatrial, project, status_is, state, hint):
    status_is(EnvironmentStatus(up=False, state=state, environment=RECORD))

    printed = seatrial("status").out
    assert "cluster  it does not answer: " in printed
    assert hint in printed
