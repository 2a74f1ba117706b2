"""Each kind of resource has a remover, which removes resources of its environment and no others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest
from fakes import World
from msgspec.structs import replace
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, ResourceKind
from seatrial.model.errors import EnvironmentFailed
from seatrial.removal.removers import REMOVERS, access_of, remove_resources
from shop_world import revision

E2E = Path(__file__).parents[2] / "e2e"
NAMESPACE = Created(kind="namespace", name="shop", identity="aa")
OBJECTS = Created(kind="objects", name="shop")
RELEASE = Created(kind="release", name="shop/shop", identity="aa")
CLUSTER = Created(kind="cluster", name="it")
REGISTRY = Created(kind="container", name="seatrial-registry")


def removed(world, *resources, **record):
    access = access_of(world.env(), replace(world.record, **record))
    return remove_resources(resources, access, deadline=Deadline.after(30))


def put_namespace(world, **labels):
    marks = {f"seatrial.dev/{name}": value for name, value in labels.items()}
    world.kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": marks}})


def put_release(world, labels):
    secret = revision(1, "deployed")
    secret["metadata"].update(namespace="shop", labels={**secret["metadata"]["labels"], **labels})
    world.kube.put(secret)


def own_namespace(world, environment="aa"):
    project = world.record.project_label
    put_namespace(world, owner="seatrial", project=project, session=environment)


class TestTable:
    def test_each_kind_has_a_remover(self):
        assert list(REMOVERS) == list(get_args(ResourceKind))

    def test_each_remover_is_exercised_on_real_resources(self):
        """Tests on real clusters say by `removes` which removers they exercise."""
        marked = set()
        for path in E2E.glob("test_*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.removes":
                    marked |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}

        assert marked == set(REMOVERS)


class TestOrder:
    def test_users_of_a_resource_are_removed_before_it_and_the_newest_first(self, world):
        own_namespace(world)
        second = replace(RELEASE, name="shop/late")
        order = removed(world, REGISTRY, NAMESPACE, CLUSTER, RELEASE, second)

        assert order == [second, RELEASE, NAMESPACE, CLUSTER, REGISTRY]

    def test_failure_does_not_prevent_the_removal_of_the_others(self, world):
        def delete(*, deadline):
            raise EnvironmentFailed("docker does not answer")

        world.cluster.delete = delete
        with pytest.raises(EnvironmentFailed) as caught:
            removed(world, CLUSTER, REGISTRY)
        assert caught.value.message == "could not remove a resource of the environment"
        assert caught.value.reason == "cluster it: docker does not answer"
        assert world.removed == 1


class TestNamespace:
    def test_own_namespace_is_deleted(self, world):
        own_namespace(world)
        removed(world, NAMESPACE)

        assert world.kube.deleted == [("v1/Namespace", "", "shop")]

    def test_namespace_in_a_record_without_identity_belongs_to_the_environment_of_the_record(self, world):
        own_namespace(world)
        removed(world, replace(NAMESPACE, identity=""))

        assert world.kube.deleted == [("v1/Namespace", "", "shop")]

    @pytest.mark.parametrize("identity", ["aa", ""])
    def test_namespace_that_another_environment_took_over_stays(self, world, identity):
        own_namespace(world, environment="bb")
        removed(world, replace(NAMESPACE, identity=identity))

        assert world.kube.deleted == []


class TestObjects:
    def test_own_objects_are_deleted_from_a_namespace_of_another_owner(self, world):
        put_namespace(world, use="allowed")
        for name, labels in (("mine", world.record.owner_labels), ("theirs", {})):
            meta = {"name": name, "namespace": "shop", "labels": labels}
            world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": meta})
        removed(world, OBJECTS)

        assert world.kube.deleted == [("v1/Secret", "shop", "mine")]

    def test_cluster_wide_objects_are_deleted_after_the_namespace_was(self, world):
        labels = {**world.record.owner_labels, "seatrial.dev/isolated-for": "shop"}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
        world.kube.put({**role, "metadata": {"name": "seatrial.shop", "labels": labels}})
        removed(world, OBJECTS)

        assert world.kube.deleted == [("rbac.authorization.k8s.io/v1/ClusterRole", "", "seatrial.shop")]


class TestRelease:
    @pytest.mark.parametrize("identity", ["aa", ""])
    def test_own_release_is_uninstalled(self, world, identity):
        own_namespace(world)
        put_release(world, world.record.owner_labels)
        removed(world, replace(RELEASE, identity=identity))

        assert world.charts.log == ["recover shop None"]

    def test_own_release_in_a_namespace_of_another_owner_is_uninstalled(self, world):
        put_namespace(world, use="allowed")
        put_release(world, world.record.owner_labels)
        removed(world, RELEASE)

        assert world.charts.log == ["recover shop None"]

    def test_release_stays_if_another_environment_took_over_its_namespace(self, world):
        own_namespace(world, environment="bb")
        put_release(world, world.record.owner_labels)
        removed(world, RELEASE)

        assert world.charts.log == []

    def test_release_of_another_owner_stays(self, world):
        put_namespace(world, use="allowed")
        put_release(world, {})
        removed(world, RELEASE)

        assert world.charts.log == []

    def test_release_that_was_never_installed_needs_no_helm(self, world):
        own_namespace(world)
        removed(world, RELEASE)

        assert world.charts.log == []

    def test_release_in_a_deleted_namespace_needs_no_helm(self, world):
        removed(world, RELEASE)

        assert world.charts.log == []


def test_cluster_is_deleted(world):
    removed(world, CLUSTER)

    assert world.cluster.log == ["delete"]


def test_registry_of_a_given_cluster_is_not_removed(tmp_path):
    world = World(tmp_path)
    access = access_of(world.env(mirror=None), world.record)
    remove_resources([REGISTRY], access, deadline=Deadline.after(30))

    assert world.removed == 0
