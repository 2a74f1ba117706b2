from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture
def found(monkeypatch):
    """The settings with which `find_or_create` was called."""
    calls = []

    def find_or_create(this, project, *, say, namespace="", host=None):
        calls.append((project.runner.namespace, namespace, host))
        return f"record {len(calls)}"

    monkeypatch.setattr("seatrial.app.environments.find_or_create", find_or_create)
    return calls


def test_up_brings_the_environment_up_without_tests(seatrial, project, runs, found):
    assert seatrial("up").code == 0
    (call,) = runs.calls
    assert (call["command"], call["keep"], call["tests"]) == (("up",), "always", False)
    assert found == [("default", "", None)]


def test_up_with_a_namespace_creates_the_cluster_first(seatrial, project, runs, found, monkeypatch):
    host = SimpleNamespace(cluster="it")
    monkeypatch.setattr("seatrial.app.environments.find", lambda *_: None)
    monkeypatch.setattr("seatrial.app.environments.require", lambda *_: host)

    assert seatrial("up", "--namespace", "pr-42").code == 0
    cluster, guest = runs.calls
    assert (cluster["record"], cluster["only_cluster"]) == ("record 1", True)
    assert (guest["record"], guest["command"], guest["selection"].namespace) == ("record 2", ("up",), "pr-42")
    assert cluster["selection"].namespace == ""
    assert found == [("default", "", None), ("pr-42", "pr-42", host)]


def test_up_with_a_namespace_uses_the_existing_cluster(seatrial, project, runs, found, monkeypatch):
    host = SimpleNamespace(cluster="it")
    monkeypatch.setattr("seatrial.app.environments.find", lambda *_: host)
    monkeypatch.setattr("seatrial.app.wiring.Machine.kind", lambda *_: SimpleNamespace(exists=lambda: True))

    assert seatrial("up", "--namespace", "pr-42").code == 0
    assert [call["record"] for call in runs.calls] == ["record 1"]
    assert found == [("pr-42", "pr-42", host)]
