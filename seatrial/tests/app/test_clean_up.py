from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from seatrial.app import shared_environments
from seatrial.app.clean_up import clean_up
from seatrial.app.shared_environments import SharedEnvironment
from seatrial.doubles import FakeClock
from seatrial.model.spec import ClusterSpec

NOW = FakeClock().now()


@pytest.fixture
def shared(monkeypatch):
    """Environments in the project's cluster; returns the names that were removed."""
    removed = []
    environments = [
        SharedEnvironment(name=name, namespaces=(name,), project="p", expires=NOW + timedelta(hours=hours))
        for name, hours in (("pr-41", 1), ("pr-42", 1), ("old", -1))
    ]
    monkeypatch.setattr(shared_environments, "list_environments", lambda *_: environments)
    monkeypatch.setattr(
        shared_environments, "remove", lambda this, project, names, say: removed.extend(names) or sorted(names)
    )
    monkeypatch.setattr(shared_environments, "remove_from_foreign_namespaces", lambda *_: ["team-a"])
    return removed


def test_clean_up_of_the_machine_removes_expired_environments(machines):
    machines.kept()
    expired = machines.kept(expires=NOW - timedelta(hours=1))

    assert clean_up(machines.machine(), None, machines.said.append) == [expired.cluster]
    assert len(machines.this.ledger.records()) == 1


def test_clean_up_of_everything_removes_kept_environments_and_the_cache(machines):
    machines.kept()
    this = machines.machine()

    removed = clean_up(this, machines.project, machines.said.append, everything=True, cache=True)

    assert removed == ["it", this.registry().volume]


def test_clean_up_of_a_project_with_a_kind_cluster_does_not_look_into_it(machines, shared):
    assert clean_up(machines.machine(), machines.project, machines.said.append) == []
    assert shared == []


def test_clean_up_removes_environments_of_other_pull_requests(machines, shared):
    removed = clean_up(machines.machine(), machines.project, machines.said.append, keep={42})

    assert removed == ["old", "pr-41", "team-a"]


def test_clean_up_removes_expired_environments_of_an_existing_cluster(machines, shared):
    project = replace(machines.project, cluster=ClusterSpec(provider="existing", context="theirs", registry="r.test"))

    assert clean_up(machines.machine(), project, machines.said.append) == ["old", "team-a"]
