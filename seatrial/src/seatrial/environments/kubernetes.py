"""A cluster, charts in it, tests in a pod."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial.environments.environment import Environment, Plan
from seatrial.model.result import Stage
from seatrial.ports import Charts, Cluster, Nodes, Object, Registry

__all__ = ["Kubernetes", "LocalMirror"]

_PLAN: Final[Plan] = (
    ((Stage.PREFLIGHT,),),
    # Images are built and delivered in the shadow of the cluster's creation, or the other way round.
    ((Stage.CLUSTER,), (Stage.BUILD, Stage.DELIVER)),
    ((Stage.INSTALL,),),
    ((Stage.READY,),),
    ((Stage.TEST,),),
    ((Stage.COLLECT,),),
    ((Stage.TEARDOWN,),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMirror:
    """What only a registry of our own can do: stand beside the nodes and be announced.

    Attributes:
        container: its name.
        join: joins the nodes' network; False while that network does not exist.
        mirrors: hosts.toml by registry host, for images of these references.
        announcement: the ConfigMap of KEP-1755.
        claim_network: writes down that the nodes' network is ours, if it is not there yet.
        remove: removes its container, if no other environment needs it; its volume stays.
    """

    container: str
    join: Callable[[], bool]
    mirrors: Callable[[list[str]], dict[str, str]]
    announcement: Callable[[], Object]
    claim_network: Callable[[], None]
    remove: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes(Environment):
    """The Kubernetes environment over its ports.

    Attributes:
        nodes: None: the cluster's nodes belong to another owner.
        mirror: None: images go to a registry that the configuration names.
        certs: host directory that every node sees as /etc/containerd/certs.d.
        host_ports: host addresses and ports that the cluster will publish.
        port_owners: returns TCP port -> who listens on it.
        followed_logs: how many logs of containers may be followed at a time.
        registry_problem: returns why the registry of a host does not answer, empty if it does; None: nodes may pull
            from other places than this machine.
        node_image: image of the nodes that will be created, if it is configured.
    """

    cluster: Cluster
    nodes: Nodes | None
    registry: Registry
    mirror: LocalMirror | None
    charts: Charts
    certs: Path
    host_ports: tuple[tuple[str, int], ...]
    port_is_free: Callable[[str, int], bool]
    port_owners: Callable[[], Mapping[int, str]]
    followed_logs: int = 64
    registry_problem: Callable[[str], str] | None = None
    node_image: str = ""
    name: str = "kubernetes"
    plan: Plan = _PLAN

    @property
    def plan_of_a_cluster(self) -> Plan:
        """What a cluster for several environments needs before the first of them."""
        return (((Stage.PREFLIGHT,),), ((Stage.CLUSTER,),), ((Stage.COLLECT,),), ((Stage.TEARDOWN,),))
