"""Stages before the tests, in a world that only exists in memory."""

from __future__ import annotations

import pytest
from fakes import refused
from seatrial.model.environment_record import Made
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.event import Note
from seatrial.model.result import Outcome
from seatrial.ports import Change
from seatrial.stages import (
    cluster,
    gate,
)

NODES = tuple(
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in ("it-worker", "it-control-plane")
)
STORAGE = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"}}


def gate_pod(node, address, phase="Running"):
    meta = {"name": node, "namespace": "seatrial-gate"}
    status = {"phase": phase, "podIP": address}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}, "status": status}


def with_gate(world):
    for obj in (*NODES, STORAGE):
        world.kube.put(obj)
    pods = (gate_pod("it-worker", "10.0.0.1"), gate_pod("it-control-plane", "10.0.1.1"))
    world.kube.then["v1/Pod"] = [Change(type="modified", objects=pods)]
    return world


class TestCluster:
    def test_it_is_written_down_before_it_is_made(self, world):
        with_gate(world).cluster.breaks = EnvironmentFailed("no")
        ctx = world.ctx(connected=False)

        with pytest.raises(EnvironmentFailed):
            cluster.run(ctx)
        assert world.remembered == [Made(kind="cluster", name="it")]
        assert len(ctx.undo) == 1
        assert not ctx.facts.usable

    def test_made_and_of_use(self, world):
        ctx = with_gate(world).ctx(connected=False)
        report = cluster.run(ctx)

        assert report.facts["name"] == "it"
        assert ctx.facts.usable
        assert world.remembered[-1].identity == "id"
        assert ("v1/Namespace", "", "seatrial-gate") in world.kube.deleted
        what, undo = ctx.undo.pop()
        undo(ctx.deadline)
        assert (what, world.cluster.log) == ("cluster it", ["create", "delete"])

    def test_kept(self, world):
        ctx = world.ctx(connected=False)
        ctx.facts.fresh = False

        assert cluster.run(ctx).outcome is Outcome.UNCHANGED
        assert ctx.facts.usable
        assert ctx.facts.submission is None, "nobody asked for tests"

    def test_where_tests_are_to_run_their_command_waits_for_them(self, world):
        ctx = world.ctx(connected=False, tests=True)
        ctx.facts.fresh = False
        cluster.run(ctx)

        assert ctx.facts.submission.take() is world.kube.pod.started[0]
        assert world.kube.pod.asked[0][-1] == "submit"

    def test_a_new_cluster_has_no_pod_in_which_to_wait(self, world):
        ctx = with_gate(world).ctx(connected=False, tests=True)
        cluster.run(ctx)

        assert ctx.facts.submission is None

    def test_pods_that_do_not_reach_each_other(self, world):
        with_gate(world).cluster.codes["it-worker"] = 1

        with pytest.raises(EnvironmentFailed) as caught:
            gate.wait(world.ctx(), world.ctx().deadline)
        assert caught.value.reason == "it-worker: why"

    def test_every_node_asks_for_the_others(self, world):
        gate.wait(with_gate(world).ctx(), world.ctx().deadline)
        scripts = {node: argv[-1] for node, argv in world.cluster.ran}

        assert "for peer in 10.0.1.1; do" in scripts["it-worker"]
        assert "for peer in 10.0.0.1; do" in scripts["it-control-plane"]
        assert "/dev/udp/10.96.0.10/53" in scripts["it-worker"]

    def test_node_without_a_pod(self, world):
        with_gate(world).kube.then["v1/Pod"] = [Change(type="modified", objects=(gate_pod("it-worker", "10.0.0.1"),))]

        with pytest.raises(EnvironmentFailed) as caught:
            gate.wait(world.ctx(), world.ctx().deadline)
        assert caught.value.message == "no pod starts on it-control-plane"

    def test_account_that_comes_late(self, world, monkeypatch):
        monkeypatch.setattr(gate, "_RETRY", 0.0)
        with_gate(world)
        late = refused('pods "a" is forbidden: error looking up service account: serviceaccount "default" not found')
        real = world.kube.apply

        def apply(obj):
            if obj["kind"] == "Pod" and late not in seen:
                seen.append(late)
                raise late
            return real(obj)

        seen = []
        world.kube.apply = apply
        gate.wait(world.ctx(), world.ctx().deadline)

        assert len([obj for obj in world.kube.applied if obj["kind"] == "Pod"]) == 2

    def test_pod_that_is_refused_for_good(self, world):
        with_gate(world).kube.refuses = []
        real = world.kube.apply

        def apply(obj):
            if obj["kind"] == "Pod":
                raise refused("exceeded quota")
            return real(obj)

        world.kube.apply = apply
        with pytest.raises(EnvironmentFailed):
            gate.wait(world.ctx(), world.ctx().deadline)

    def test_the_gate_waits_for_a_storage_class(self, world, monkeypatch):
        monkeypatch.setattr(gate, "_RETRY", 0.0)
        with_gate(world).kube.delete("storage.k8s.io/v1/StorageClass", "standard")
        real, asked = world.kube.objects, []

        def late(kind, namespace="", **more):
            if kind.endswith("StorageClass"):
                asked.append(kind)
                if len(asked) == 3:
                    world.kube.put(STORAGE)
            return real(kind, namespace, **more)

        world.kube.objects = late
        gate.wait(world.ctx(), world.ctx().deadline)

        assert len(asked) == 3
        assert world.recorded.of(Note) == []

    def test_a_cluster_without_a_storage_class_is_told(self, world, monkeypatch):
        monkeypatch.setattr(gate, "_STORAGE", 0.05)
        monkeypatch.setattr(gate, "_RETRY", 0.01)
        with_gate(world).kube.delete("storage.k8s.io/v1/StorageClass", "standard")
        gate.wait(world.ctx(), world.ctx().deadline)

        (note,) = world.recorded.of(Note)
        assert (note.level, "no StorageClass" in note.text) == ("warning", True)

    def test_machines_of_others_are_not_entered(self, world):
        assert gate.wait(world.ctx(env=world.env(nodes=None)), world.ctx().deadline) == 0.0
