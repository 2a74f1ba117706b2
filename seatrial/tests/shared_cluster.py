"""A cluster that several projects use, and namespaces and cluster-wide objects in it."""

from __future__ import annotations

from fakes import World
from msgspec.structs import replace

OWNER, PROJECT, SESSION, KEPT, ENVIRONMENT, USE = (
    f"seatrial.dev/{name}" for name in ("owner", "project", "session", "kept", "environment", "use")
)

ISOLATION_KINDS = [
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "v1/Namespace",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
]
"""Kinds of cluster-wide objects that isolated namespaces need, in the order of their deletion."""


def shared_world(tmp_path):
    """Return the world of environment pr-42 of the project shop, in an existing cluster."""
    root = tmp_path / "shop"
    root.mkdir()
    world = World(root)
    world.record = replace(world.record, provider="existing", namespace="pr-42")
    world.project = replace(world.project, runner=replace(world.project.runner, namespace="pr-42"))
    world.cluster.there = True
    return world


def namespace(name="pr-42", **labels):
    """Return a namespace with labels of seatrial."""
    marks = {f"seatrial.dev/{key}": value for key, value in labels.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def own_namespace(world, **labels):
    """Return the namespace of the world's environment."""
    return namespace(owner="seatrial", project=world.project.root.name, **labels)


def labels_of_namespace(world):
    return world.kube.get("v1/Namespace", "pr-42")["metadata"]["labels"]


def isolation_name(kind, namespace, project):
    return f"{'test-' if kind == 'v1/Namespace' else ''}{namespace}-{project}"


def put_isolation(world, namespace, project):
    """Put one object of each kind that isolated namespaces need in the whole cluster."""
    for kind in ISOLATION_KINDS:
        api, _, bare = kind.rpartition("/")
        labels = {OWNER: "seatrial", PROJECT: project, "seatrial.dev/isolated-for": namespace}
        meta = {"name": isolation_name(kind, namespace, project), "labels": labels}
        world.kube.put({"apiVersion": api, "kind": bare, "metadata": meta})


def cluster_wide(world):
    """Return kind and name of all objects without a namespace."""
    return {(kind, name) for kind, namespace, name in world.kube.store if not namespace}
