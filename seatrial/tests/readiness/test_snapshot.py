"""Snapshots follow watches."""

from __future__ import annotations

from random import Random
from typing import Literal

import pytest
from seatrial.ports import Change, Object
from seatrial.readiness.snapshot import Snapshot
from seatrial.readiness.workload import judge_workload

from .objects import event, meta, pod, running, snapshot, waiting, workload


def names(found: Snapshot) -> list[str]:
    return sorted(each["metadata"]["name"] for each in found.all("v1/Pod"))


def test_snapshot_follows_added_changed_and_deleted_objects():
    found = Snapshot()
    found.take("v1/Pod", "shop", Change(type="synced", objects=(pod(name="a"), pod(name="b"))))
    found.take("v1/Pod", "shop", Change(type="added", objects=(pod(name="c"),)))
    found.take("v1/Pod", "shop", Change(type="deleted", objects=(pod(name="a"),)))
    found.take("v1/Pod", "shop", Change(type="deleted", objects=(pod(name="unknown"),)))

    assert names(found) == ["b", "c"]
    assert found.get("v1/Pod", "shop", "a") is None


def test_list_replaces_objects_of_its_namespace_only():
    found = Snapshot()
    other = pod(name="z")
    other["metadata"]["namespace"] = "other"
    found.take("v1/Pod", "shop", Change(type="synced", objects=(pod(name="a"),)))
    found.take("v1/Pod", "other", Change(type="synced", objects=(other,)))
    found.take("v1/Pod", "shop", Change(type="synced", objects=(pod(name="b"),)))

    assert names(found) == ["b", "z"]


def test_warnings_about_an_object_exclude_an_earlier_one_of_its_name():
    it, namesake = pod(name="a"), pod(name="a")
    namesake["metadata"]["uid"] = "another"
    first, last = event(it, "First", at="2026-01-01T00:00:00Z"), event(it, "Last", at="2026-01-02T00:00:00Z")
    normal = event(it, "Normal")
    normal["type"] = "Normal"
    found = snapshot(it, last, first, normal, event(namesake, "Other"))

    assert [each["reason"] for each in found.warnings_about(it)] == ["First", "Last"]


def replica_set(name: str, deployment: str, revision: str) -> Object:
    obj: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": meta(
            name,
            ownerReferences=[{"kind": "Deployment", "name": deployment, "controller": True}],
            annotations={"deployment.kubernetes.io/revision": revision},
            labels={"pod-template-hash": name.rpartition("-")[2]},
        ),
    }
    return obj


def random_object(random: Random) -> Object:
    """Return a Deployment, StatefulSet, ReplicaSet, pod or event in a state that a cluster may report."""
    kind, name = random.choice(("Deployment", "StatefulSet", "ReplicaSet", "Pod", "Event")), random.choice("ab")
    if kind == "ReplicaSet":
        return replica_set(f"{name}-{random.choice('12')}", name, random.choice("12"))
    owner = random.choice((("ReplicaSet", f"{name}-{random.choice('12')}"), ("StatefulSet", name), None))
    its = pod(
        random.choice((running("web"), running("web", ready=False), waiting("web", "CrashLoopBackOff"))),
        name=f"{name}-{random.randint(0, 2)}",
        owner=owner,
        phase=random.choice(("Running", "Pending", "Failed")),
    )
    if owner and owner[0] == "ReplicaSet":
        its["metadata"]["labels"] = {"pod-template-hash": owner[1].rpartition("-")[2]}
    if random.random() < 0.3:
        its["metadata"]["deletionTimestamp"] = "2026-01-31T15:45:01Z"
    if kind == "Pod":
        return its
    obj = workload(
        "Deployment" if kind == "Event" else kind,
        name=name,
        replicas=1,
        updatedReplicas=1,
        availableReplicas=random.randint(0, 1),
    )
    obj["metadata"]["uid"] = f"{obj['kind']}-{name}"
    if kind == "Event":
        about = random.choice((its, obj))
        found = event(about, random.choice(("FailedMount", "FailedCreate", "Unhealthy")))
        found["involvedObject"] |= {"kind": about["kind"], "namespace": "shop", "name": about["metadata"]["name"]}
        return found
    obj["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": random.choice("12")}
    return obj


TYPES: tuple[Literal["added", "modified", "deleted", "synced"], ...] = ("added", "modified", "deleted", "synced")


@pytest.mark.parametrize("seed", range(20))
def test_take_returns_every_workload_whose_verdict_changes(seed: int) -> None:
    random, found = Random(seed), Snapshot()
    targets = [(kind, "shop", name) for kind in ("Deployment", "StatefulSet") for name in "ab"]
    targets += [("Pod", "shop", f"{name}-{number}") for name in "ab" for number in range(3)]
    before = {target: judge_workload(*target, found) for target in targets}
    for _ in range(150):
        obj = random_object(random)
        type_ = random.choice(TYPES)
        concerned = found.take(f"{obj['apiVersion']}/{obj['kind']}", "shop", Change(type=type_, objects=(obj,)))
        after = {target: judge_workload(*target, found) for target in targets}

        assert {target for target in targets if after[target] != before[target]} <= concerned
        before = after
