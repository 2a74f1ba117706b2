"""The network check of a new cluster."""

from __future__ import annotations

import pytest
from fakes import refused
from new_cluster import STORAGE, check_pod, with_network
from seatrial.cluster_checks import network_check
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.event import Note
from seatrial.ports import Change


def check(world):
    ctx = world.ctx()
    network_check.wait_for_network(
        world.kube, world.cluster, deadline=Deadline.after(30), progress=list[str]().append, warn=ctx.warn
    )


def test_pods_that_cannot_connect_are_an_error_with_the_node_named(world):
    with_network(world).cluster.codes["it-worker"] = 1

    with pytest.raises(EnvironmentFailed) as caught:
        check(world)
    assert caught.value.reason == "it-worker: why"


def test_each_node_connects_to_all_others(world):
    check(with_network(world))
    scripts = {node: argv[-1] for node, argv in world.cluster.ran}

    assert "for peer in 10.0.1.1; do" in scripts["it-worker"]
    assert "for peer in 10.0.0.1; do" in scripts["it-control-plane"]
    assert "/dev/udp/10.96.0.10/53" in scripts["it-worker"]


def test_node_that_starts_no_pod_is_named(world):
    with_network(world).kube.then["v1/Pod"] = [Change(type="modified", objects=(check_pod("it-worker", "10.0.0.1"),))]

    with pytest.raises(EnvironmentFailed) as caught:
        check(world)
    assert caught.value.message == "no pod starts on it-control-plane"


def test_pod_is_created_once_its_service_account_exists(world, monkeypatch):
    monkeypatch.setattr(network_check, "_PAUSE_SECONDS", 0.0)
    with_network(world)
    late = refused('pods "a" is forbidden: error looking up service account: serviceaccount "default" not found')
    real = world.kube.apply

    def apply(obj):
        if obj["kind"] == "Pod" and late not in seen:
            seen.append(late)
            raise late
        return real(obj)

    seen = []
    world.kube.apply = apply
    check(world)

    assert len([obj for obj in world.kube.applied if obj["kind"] == "Pod"]) == 2


def test_pod_refused_for_another_reason_is_an_error(world):
    with_network(world).kube.refuses = []
    real = world.kube.apply

    def apply(obj):
        if obj["kind"] == "Pod":
            raise refused("exceeded quota")
        return real(obj)

    world.kube.apply = apply
    with pytest.raises(EnvironmentFailed):
        check(world)


def test_check_waits_for_a_storage_class(world, monkeypatch):
    monkeypatch.setattr(network_check, "_PAUSE_SECONDS", 0.0)
    with_network(world).kube.delete("storage.k8s.io/v1/StorageClass", "standard")
    real, asked = world.kube.objects, []

    def late(kind, namespace="", **more):
        if kind.endswith("StorageClass"):
            asked.append(kind)
            if len(asked) == 3:
                world.kube.put(STORAGE)
        return real(kind, namespace, **more)

    world.kube.objects = late
    check(world)

    assert len(asked) == 3
    assert world.recorded.of(Note) == []


def test_missing_storage_class_is_a_warning(world, monkeypatch):
    monkeypatch.setattr(network_check, "_STORAGE", 0.05)
    monkeypatch.setattr(network_check, "_PAUSE_SECONDS", 0.01)
    with_network(world).kube.delete("storage.k8s.io/v1/StorageClass", "standard")
    check(world)

    (note,) = world.recorded.of(Note)
    assert (note.level, "no StorageClass" in note.text) == ("warning", True)


def test_dns_question_contains_no_line_feed():
    question = network_check.dns_question(network_check._NAME)

    assert question.startswith(r"\x00\x03\x01\x00\x00\x01")
    assert question.endswith(r"\x00\x00\x01\x00\x01")
    assert r"\x0a" not in question, "Bash would send the question in two parts"


def test_pause_image_is_read_from_the_nodes():
    node = {"status": {"images": [{"names": ["k8s/etcd:3"]}, {"names": ["sha256:a", "mirror/pause:3.10.1"]}]}}

    assert network_check.pause_image([{}, node]) == "mirror/pause:3.10.1"
    assert network_check.pause_image([]) == "registry.k8s.io/pause:3.10"
