"""Findings with their details, and without symptoms."""

from __future__ import annotations

from fakes import FakeKube
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.finding import Finding, ObjectRef
from seatrial.watching.explanation import explained
from seatrial.watching.watch_set import list_snapshot
from shop_world import pod


def finding(cause, name="web-1", **more):
    return Finding(cause=cause, subject=ObjectRef(kind="Pod", name=name, namespace="shop", **more), message="it")


def node(memory):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n"},
        "status": {"allocatable": {"memory": memory}},
    }


def given(kube, *findings):
    return explained(kube, list_snapshot(kube, ["v1/Pod"], ["shop"]), findings)


def large(**spec):
    it = pod("web-1")
    it["spec"]["containers"][0]["resources"] = {"requests": {"memory": "2Gi"}}
    it["spec"].update(spec)
    return it


def test_missing_memory_is_computed_from_the_nodes():
    (found,) = given(FakeKube(large(), node("1Gi")), finding("InsufficientResources"))

    assert found.message.endswith("1.0 GiB are missing")


def test_finding_is_unchanged_if_nodes_may_not_be_listed():
    class NoNodes(FakeKube):
        def objects(self, kind, namespace="", *, labels=""):
            if kind == "v1/Node":
                raise EnvironmentFailed("forbidden")
            return super().objects(kind, namespace, labels=labels)

    (found,) = given(NoNodes(large()), finding("InsufficientResources"))

    assert found.message == "it"


def test_pending_claim_of_a_pod_is_explained_by_its_latest_event():
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop", "uid": "u"},
        "spec": {"storageClassName": "fast"},
        "status": {"phase": "Pending"},
    }
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "shop"},
        "involvedObject": {"uid": "u"},
        "message": 'storageclass.storage.k8s.io "fast" not found',
    }
    it = large(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    (found,) = given(FakeKube(it, claim, event), finding("ClaimPending"))

    assert (found.cause, found.subject.name) == ("NoStorageClass", "data")
    (unknown,) = given(FakeKube(it), finding("ClaimPending"))
    assert unknown.message == "it"


def test_name_that_does_not_resolve_is_explained_by_a_setting():
    it = pod("web-1")
    it["spec"]["containers"][0]["env"] = [{"name": "DB_HOST", "value": "databse"}]
    kube = FakeKube(it)
    kube.texts["web-1", "c", False] = b"socket.gaierror: [Errno -2] Name or service not known\n"
    (found,) = given(kube, finding("Crash", container="c"))

    assert (found.cause, "DB_HOST names databse" in found.message) == ("NameNotResolved", True)


def test_symptoms_are_listed_at_their_cause():
    (found,) = given(FakeKube(pod("web-1")), finding("ReadinessProbe"), finding("OOMKilled"))

    assert (found.cause, len(found.leads_to)) == ("OOMKilled", 1)
