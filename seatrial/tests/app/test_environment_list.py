from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from seatrial.app import environments, shared_environments
from seatrial.app.environment_list import list_environments
from seatrial.app.shared_environments import SharedEnvironment
from seatrial.doubles import FakeClock
from seatrial.model.spec import ClusterSpec

NOW = FakeClock().now()


def states(machines):
    return {each.environment: each.state for each in list_environments(machines.machine(), None)}


def test_list_has_the_state_of_each_environment(machines):
    busy, dead = machines.machine(), machines.machine()
    in_use = machines.new(busy)
    left = machines.new(dead)
    dead.ledger.release(left.id)
    machines.this.ledger.write(replace(left, created=NOW - timedelta(hours=1)))
    listed = states(machines)

    assert listed[in_use.id] == "in use"
    assert listed[left.id] == "left by a killed command: the next command removes it"


def test_list_has_the_expiry_of_kept_environments(machines):
    kept = machines.kept()
    host = states(machines)[kept.id]
    machines.this.ledger.write(replace(kept, kept=True, expires=NOW - timedelta(hours=1)))

    assert host.startswith("kept until ")
    assert states(machines)[kept.id] == "expired: the next command removes it"


def test_list_has_containers_without_an_environment(machines, monkeypatch):
    class Stray:
        name = "lost"

    monkeypatch.setattr(environments, "strays", lambda _: [Stray()])
    (listed,) = list_environments(machines.machine(), None)

    assert (listed.cluster, listed.environment) == ("lost", "")
    assert listed.state == "left by a killed command: the next run, up, down or clean removes it"


def test_list_has_environments_of_other_machines_in_an_existing_cluster(machines, monkeypatch):
    project = replace(machines.project, cluster=ClusterSpec(provider="existing", context="it", registry="r.test"))
    shared = [
        SharedEnvironment(name=name, namespaces=(name,), project="p", expires=NOW, holder=holder, policies="enforced")
        for name, holder in (("pr-1", ""), ("pr-2", "ann@laptop"))
    ]
    monkeypatch.setattr(shared_environments, "list_environments", lambda *_, all_projects: shared)
    this = machines.machine()
    record = environments.create(this, project, command="up", say=machines.said.append, namespace="pr-1")
    listed = list_environments(machines.machine(), project)

    assert [(each.namespace, each.created_by) for each in listed] == [("pr-1", "up"), ("pr-2", "another machine")]
    assert listed[0].environment == record.id
    assert (listed[1].state, listed[1].policies) == ("in use by ann@laptop", "enforced")
    assert [each.namespace for each in list_environments(machines.machine(), None)] == ["pr-1"]
