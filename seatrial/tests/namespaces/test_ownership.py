"""Namespaces of an environment: deleted with what belongs to it, and with nothing else."""

from __future__ import annotations

import pytest
from seatrial.model.environment_record import Created
from seatrial.model.errors import AccessDenied, EnvironmentFailed, NotServed
from seatrial.namespaces.ownership import (
    delete_isolation_objects,
    delete_namespace,
    delete_own_objects,
    ensure_namespace,
    ensure_namespace_of_own_cluster,
)
from shared_cluster import (
    ISOLATION_KINDS,
    OWNER,
    PROJECT,
    USE,
    cluster_wide,
    isolation_name,
    labels_of_namespace,
    namespace,
    own_namespace,
    put_isolation,
    shared_world,
)


@pytest.fixture
def world(tmp_path):
    return shared_world(tmp_path)


def test_existing_namespaces_of_an_own_cluster_are_not_labeled(world):
    world.kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}})
    for name in ("default", "theirs", "own"):
        ensure_namespace_of_own_cluster(world.kube, name, world.record.labels)

    (created,) = world.kube.applied
    assert created["metadata"]["name"] == "own"
    assert created["metadata"]["labels"]["seatrial.dev/session"] == "aa"


class TestDeletion:
    def test_namespace_of_another_environment_is_not_deleted(self, world):
        world.kube.put(own_namespace(world, session="bb"))
        assert not delete_namespace(world.kube, "pr-42", "aa")
        world.kube.put(own_namespace(world, session="aa"))
        assert delete_namespace(world.kube, "pr-42", "aa")
        assert not delete_namespace(world.kube, "pr-42", "aa")

    def test_cluster_wide_objects_of_its_runner_are_deleted_with_a_namespace(self, world):
        world.kube.put(own_namespace(world, session="aa"))
        put_isolation(world, "pr-42", world.project.root.name)
        put_isolation(world, "pr-41", world.project.root.name)
        put_isolation(world, "pr-42", "other")
        before = cluster_wide(world)

        assert delete_namespace(world.kube, "pr-42", "aa")
        deleted = {(kind, isolation_name(kind, "pr-42", world.project.root.name)) for kind in ISOLATION_KINDS}
        assert before - cluster_wide(world) == deleted | {("v1/Namespace", "pr-42")}
        kinds = [kind for kind, _, name in world.kube.deleted if name != "pr-42"]
        assert kinds == ISOLATION_KINDS, "rights are deleted before the policies that confine them"

    def test_labeled_namespace_without_the_prefix_is_not_deleted(self, world):
        marks = {"owner": "seatrial", "project": world.project.root.name, "isolated-for": "pr-42"}
        world.kube.put(namespace("production", **marks))
        delete_isolation_objects(world.kube, "pr-42", f"{OWNER}=seatrial")

        assert world.kube.deleted == []

    @pytest.mark.parametrize("failed", [AccessDenied("no"), NotServed("too old")])
    def test_kinds_that_may_not_be_listed_are_skipped(self, world, failed):
        def objects(kind, namespace="", *, labels=""):
            raise failed

        world.kube.objects = objects
        delete_isolation_objects(world.kube, "pr-42", f"{OWNER}=seatrial")

    def test_namespace_is_kept_if_the_server_does_not_answer(self, world):
        def objects(kind, namespace="", *, labels=""):
            raise EnvironmentFailed("it does not answer")

        world.kube.put(own_namespace(world, session="aa"))
        world.kube.objects = objects
        with pytest.raises(EnvironmentFailed):
            delete_namespace(world.kube, "pr-42", "aa")
        assert world.kube.get("v1/Namespace", "pr-42") is not None

    def test_in_a_namespace_of_another_owner_only_own_objects_are_deleted(self, world):
        world.kube.put(namespace(use="allowed"))
        ctx = world.ctx(keep="never")
        assert not ensure_namespace(world.kube, "pr-42", ctx.owner, deadline=ctx.deadline, record=ctx.resources.add)
        assert world.created == (Created(kind="objects", name="pr-42"),)
        marked = {"name": "mine", "namespace": "pr-42", "labels": {OWNER: "seatrial", PROJECT: world.project.root.name}}
        for meta in (marked, {"name": "theirs", "namespace": "pr-42", "labels": {}}):
            world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": meta})
        put_isolation(world, "pr-42", world.project.root.name)
        delete_own_objects(world.kube, "pr-42", world.record.owner_selector)

        names = {name for kind, _, name in world.kube.store if kind in ("v1/Secret", "v1/Namespace")}
        assert names == {"theirs", "pr-42"}
        assert cluster_wide(world) == {("v1/Namespace", "pr-42")}
        assert labels_of_namespace(world) == {USE: "allowed"}
