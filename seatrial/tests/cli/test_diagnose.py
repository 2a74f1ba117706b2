from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from seatrial.model.finding import Finding, ObjectRef

FINDING = Finding(
    cause="image-missing",
    subject=ObjectRef(kind="Pod", namespace="shop", name="web"),
    message="image web:1 not found",
    evidence=("pull failed",),
    hint="build it",
)


@pytest.fixture
def finds(monkeypatch):
    env = SimpleNamespace(cluster=SimpleNamespace(connect=lambda: None))
    monkeypatch.setattr("seatrial.app.environments.require", lambda *_: SimpleNamespace(provider="kind"))
    monkeypatch.setattr("seatrial.app.wiring.environment", lambda *_: env)

    def finds(*findings: Finding) -> None:
        monkeypatch.setattr("seatrial.app.problems.find_problems", lambda *_: findings)

    return finds


def test_diagnose_prints_findings_and_exits_10(seatrial, project, finds):
    finds(FINDING)

    printed = seatrial("diagnose")

    assert printed.code == 10
    assert printed.out.splitlines() == [
        f"{FINDING.subject}: image-missing: image web:1 not found",
        "  | pull failed",
        "  hint: build it",
    ]
    assert json.loads(seatrial("diagnose", "--json").out)[0]["cause"] == "image-missing"


def test_diagnose_without_findings_exits_0(seatrial, project, finds):
    finds()

    assert seatrial("diagnose").out == "no problems found\n"
    assert seatrial("diagnose").code == 0
