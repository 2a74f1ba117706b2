"""A new cluster with nodes whose network works."""

from __future__ import annotations

from seatrial.ports import Change

NODES = tuple(
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in ("it-worker", "it-control-plane")
)


STORAGE = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"}}


def check_pod(node, address, phase="Running"):
    meta = {"name": node, "namespace": "seatrial-network-check"}
    status = {"phase": phase, "podIP": address}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}, "status": status}


def with_network(world):
    """Give a new cluster nodes, a StorageClass and running pods of the network check."""
    for obj in (*NODES, STORAGE):
        world.kube.put(obj)
    pods = (check_pod("it-worker", "10.0.0.1"), check_pod("it-control-plane", "10.0.1.1"))
    world.kube.then["v1/Pod"] = [Change(type="modified", objects=pods)]
    return world
