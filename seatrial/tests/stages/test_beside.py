"""Environments beside each other: whose namespace it is, what it gets, and whether its policies hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace as changed
from seatrial.cli.shared import Found, expired, numbers, superfluous
from seatrial.model.errors import EnvironmentFailed, OutOfTime, UsageError
from seatrial.model.event import Note
from seatrial.model.spec import NamespaceSpec, ReleaseSpec
from seatrial.ports import Completed
from seatrial.stages import beside, namespaces, neighbours, preflight
from seatrial.stages.neighbours import ENFORCED, objects_of

from .fakes import World, refused

OWNER, PROJECT, SESSION, KEPT, ENVIRONMENT, USE = (
    f"seatrial.dev/{name}" for name in ("owner", "project", "session", "kept", "environment", "use")
)


@pytest.fixture
def world(tmp_path):
    root = tmp_path / "shop"
    root.mkdir()
    it = World(root)
    it.session = changed(it.session, provider="existing", namespace="pr-42")
    it.project = changed(it.project, runner=changed(it.project.runner, namespace="pr-42"))
    it.cluster.there = True
    return it


def namespace(name="pr-42", **labels):
    marks = {f"seatrial.dev/{key}": value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def ours(world, **more):
    return namespace(owner="seatrial", project=world.project.root.name, **more)


def marks(world):
    return world.kube.get("v1/Namespace", "pr-42")["metadata"]["labels"]


def holder(world):
    return world.kube.get("coordination.k8s.io/v1/Lease", "seatrial", "pr-42")["spec"]["holderIdentity"]


class TestEnter:
    def test_a_new_namespace_is_made_labelled_and_leased(self, world):
        ctx = world.ctx(keep="always")
        preflight.run(ctx)
        ctx.lease.release()

        assert marks(world)[ENVIRONMENT] == "pr-42"
        assert marks(world)[KEPT] == "true"
        assert marks(world)[SESSION] == "aa"
        assert int(marks(world)["seatrial.dev/expires"]) == int(world.session.expires.timestamp())
        assert marks(world)["pod-security.kubernetes.io/enforce"] == "baseline"
        assert {(made.kind, made.name) for made in world.remembered} == {("namespace", "pr-42")}

    def test_somebody_elses_namespace_is_refused_and_not_touched(self, world):
        world.kube.put(namespace(owner="seatrial", project="other"))
        before = json.dumps(world.kube.get("v1/Namespace", "pr-42"))

        with pytest.raises(UsageError, match="namespace pr-42 is there and is not this project's") as raised:
            preflight.run(world.ctx())
        assert "seatrial.dev/use=allowed" in raised.value.try_
        assert json.dumps(world.kube.get("v1/Namespace", "pr-42")) == before
        assert world.kube.applied == []

    def test_where_another_run_works_nothing_is_relabelled(self, world):
        world.kube.put(ours(world, session="bb", kept="true"))
        now = f"{world.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        meta = {"name": "seatrial", "namespace": "pr-42"}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
        world.kube.put({**lease, "spec": {"holderIdentity": "ci", "renewTime": now}})
        ctx = world.ctx(keep="always")

        with pytest.raises(UsageError, match="another run works"):
            preflight.run(ctx)
        assert marks(world)[SESSION] == "bb"
        assert ctx.lease is None
        assert len(ctx.undo) == 0

    def test_an_environment_of_another_machine_is_taken_over(self, world):
        world.kube.put(ours(world, session="bb", kept="true", environment="pr-42"))
        ctx = world.ctx(keep="always")
        preflight.run(ctx)

        assert marks(world)[SESSION] == "aa"
        assert "run" in holder(world)
        ctx.lease.release()
        assert holder(world) == ""

    def test_a_run_that_cleans_up_does_not_take_over_what_was_kept(self, world):
        world.kube.put(ours(world, session="bb", kept="true"))
        with pytest.raises(UsageError, match="has an environment that was kept"):
            preflight.run(world.ctx(keep="never"))

        world.kube.put(ours(world, session="bb", kept="false"))
        ctx = world.ctx(keep="never")
        preflight.run(ctx)
        ctx.lease.release()
        assert marks(world)[SESSION] == "aa"

    def test_a_release_of_others_is_refused(self, world):
        world.project = changed(world.project, release=(ReleaseSpec(name="web", chart="c", namespace="pr-42"),))
        meta = {"name": "sh.helm.release.v1.web.v1", "namespace": "pr-42"}
        record = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**meta, "labels": {"owner": "helm", "name": "web"}},
        }
        world.kube.put(record)
        ctx = world.ctx(keep="always")

        with pytest.raises(UsageError, match="release web in namespace pr-42 is not this project's"):
            beside.enter(ctx)
        ctx.lease.release()

    def test_a_cluster_that_does_not_answer(self, world, monkeypatch):
        monkeypatch.setattr("seatrial.stages.revival._SECONDS", 0.05)
        monkeypatch.setattr("seatrial.stages.revival._LOOK", 0.01)
        world.kube.broken, world.cluster.alive = refused("connection refused"), False

        with pytest.raises(EnvironmentFailed, match="does not answer") as raised:
            preflight.run(world.ctx())
        assert raised.value.try_ == "kubectl --context kind-it version"

    def test_a_namespace_that_stays_on_its_way_out(self, world, monkeypatch):
        monkeypatch.setattr(namespaces, "_GONE_SECONDS", 0.05)
        monkeypatch.setattr(namespaces, "_LOOK", 0.01)
        there = ours(world)
        there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        world.kube.put(there)

        with pytest.raises(OutOfTime, match="is being deleted and stays"):
            preflight.run(world.ctx())


class TestGoing:
    def test_only_the_sessions_own_namespace_is_deleted(self, world):
        world.kube.put(ours(world, session="bb"))
        assert not namespaces.remove(world.kube, "pr-42", "aa")
        world.kube.put(ours(world, session="aa"))
        assert namespaces.remove(world.kube, "pr-42", "aa")
        assert not namespaces.remove(world.kube, "pr-42", "aa")

    def test_what_its_runner_has_in_the_whole_cluster_goes_with_it(self, world):
        world.kube.put(ours(world, session="aa"))
        for name, session in (("seatrial-pr-42-runner", "aa"), ("seatrial-pr-41-runner", "bb"), ("seatrial-all", "aa")):
            meta = {"name": name, "labels": {SESSION: session}}
            world.kube.put({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": meta})

        assert namespaces.remove(world.kube, "pr-42", "aa")
        left = {name for kind, _, name in world.kube.store if kind.endswith("ClusterRole")}
        assert left == {"seatrial-pr-41-runner", "seatrial-all"}

    def test_where_we_are_guests_only_our_things_go(self, world):
        world.kube.put(namespace(use="allowed"))
        ctx = world.ctx(keep="never")
        preflight.run(ctx)
        ctx.lease.release()
        marked = {"name": "mine", "namespace": "pr-42", "labels": {OWNER: "seatrial", PROJECT: world.project.root.name}}
        for meta in (marked, {"name": "theirs", "namespace": "pr-42", "labels": {}}):
            world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": meta})
        while step := ctx.undo.pop():
            step[1](ctx.deadline)

        names = {name for kind, _, name in world.kube.store if kind in ("v1/Secret", "v1/Namespace")}
        assert names == {"theirs", "pr-42"}
        assert marks(world) == {USE: "allowed"}


class TestIsolation:
    def test_neighbours_are_kept_out_and_in(self):
        limits, quota, policy = objects_of("pr-42-data", NamespaceSpec(), "pr-42", {"a": "b"})
        mine = {"namespaceSelector": {"matchLabels": {ENVIRONMENT: "pr-42"}}}

        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert policy["spec"]["podSelector"] == {}
        assert policy["spec"]["ingress"] == [{"from": [mine]}]
        inside, dns, outside = policy["spec"]["egress"]
        assert inside == {"to": [mine]}
        assert {each["port"] for each in dns["ports"]} == {53}
        assert "10.0.0.0/8" in outside["to"][0]["ipBlock"]["except"]
        assert quota["spec"]["hard"]["services.nodeports"] == "0"
        assert limits["spec"]["limits"][0]["default"] == {"memory": "512Mi"}
        assert all(each["metadata"]["labels"] == {"a": "b"} for each in (limits, quota, policy))

    def test_policies_can_be_left_out(self):
        kinds = [each["kind"] for each in objects_of("x", NamespaceSpec(isolated=False), "x", {})]
        assert kinds == ["LimitRange", "ResourceQuota"]

    @pytest.mark.parametrize(
        ("said", "found", "warned"),
        [
            (b"reached\n", "ignored", "ignores NetworkPolicies"),
            (b"blocked\n", "enforced", ""),
            (b"Traceback", "unknown", "cannot be told"),
        ],
    )
    def test_whether_they_hold_is_tried_once_for_each_runner_and_told(self, world, said, found, warned):
        asked = self.dns(world, said)

        assert neighbours.verify(world.ctx()) == found
        assert neighbours.verify(world.ctx()) == found
        assert len(asked) == 1
        assert asked[0][-3:] == ("10.244.0.3", "9153", "3")
        assert world.kube.get("v1/Namespace", "pr-42")["metadata"]["annotations"] == {ENFORCED: found}
        assert marks(world)[OWNER] == "seatrial"
        notes = [event.text for event in world.recorded.bodies if isinstance(event, Note)]
        assert [warned in note for note in notes] == ([True] if warned else [])

    def test_without_a_pod_to_try_nobody_knows(self, world):
        self.dns(world, b"blocked\n")
        del world.kube.store["v1/Pod", "kube-system", "coredns-1"]
        assert neighbours.verify(world.ctx()) == "unknown"

    @pytest.mark.parametrize("change", ["starting", "silent"])
    def test_where_nothing_is_known_to_listen_a_refusal_says_nothing(self, world, change):
        asked = self.dns(world, b"blocked\n")
        pod = world.kube.store["v1/Pod", "kube-system", "coredns-1"]
        if change == "starting":
            pod["status"]["conditions"][0]["status"] = "False"
        else:
            del pod["spec"]["containers"][0]["ports"]
        assert neighbours.verify(world.ctx()) == "unknown"
        assert not asked

    def test_without_policies_nothing_is_tried(self, world):
        world.project = changed(world.project, namespace=NamespaceSpec(isolated=False))
        assert neighbours.verify(world.ctx()) == ""

    def dns(self, world, said):
        asked = []

        def run(argv, *, stdin=b"", container="tests", timeout):
            asked.append(tuple(argv))
            return Completed(argv=tuple(argv), code=0, stdout=said, stderr=b"")

        world.kube.pod.run = run
        meta = {"name": "coredns-1", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
        ports = [
            {"containerPort": 53, "protocol": "UDP"},
            {"containerPort": 53, "protocol": "TCP"},
            {"containerPort": 9153, "protocol": "TCP"},
        ]
        status = {"podIP": "10.244.0.3", "conditions": [{"type": "Ready", "status": "True"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}
        world.kube.put({**pod, "spec": {"containers": [{"name": "coredns", "ports": ports}]}})
        runner = {"name": world.project.runner.pod, "namespace": "pr-42"}
        world.kube.put({"apiVersion": "v1", "kind": "Pod", "metadata": runner})
        world.kube.put(ours(world))
        return asked


def test_pull_requests_are_numbers():
    assert numbers("41, #42,") == {41, 42}
    assert numbers("") == frozenset()
    with pytest.raises(UsageError, match="'x' is not the number"):
        numbers("41,x")


def test_only_environments_of_pull_requests_are_superfluous():
    names = ["pr-41", "pr42", "PR-43", "pr-4", "staging", "pr-42-data", "my-pr-44"]
    assert superfluous(names, {41, 42}) == {"PR-43", "pr-4"}


def test_time_is_over_when_it_is_over():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        Found(name=name, namespaces=(name,), project="p", expires=now + timedelta(seconds=seconds))
        for name, seconds in (("old", 0), ("new", 1))
    ]
    assert expired(found, now) == {"old"}
