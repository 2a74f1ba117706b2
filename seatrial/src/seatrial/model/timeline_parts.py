"""The values that records of the timeline consist of."""

from __future__ import annotations

from datetime import datetime

import msgspec

__all__ = ["ClusterObject", "Condition", "Controller", "Endpoint", "EndpointPort", "Taint", "Termination"]


class ClusterObject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The object that an event or a refusal regards.

    Attributes:
        namespace: empty for nodes and other objects without a namespace.
        container: the container of the pod that it regards; empty if none.
    """

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    container: str = ""


class Controller(msgspec.Struct, frozen=True, kw_only=True):
    """The controller of an object. For pods of a Deployment it is the Deployment, not its ReplicaSet."""

    kind: str
    name: str


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A condition in the status of a pod, workload, Job or node.

    Attributes:
        type: `Ready`, `PodScheduled`, `DisruptionTarget`, `Progressing`, `MemoryPressure`.
        status: `True`, `False` or `Unknown`.
        reason: reason in Kubernetes: `Unschedulable`.
        since: when the status last changed.
    """

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None


class Termination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an earlier run of a container ended.

    Attributes:
        reason: `Completed`, `Error`, `OOMKilled`, `StartError`.
        message: message of the kubelet, or the container's termination message.
        signal: number of the signal that ended it, if the runtime reports one; else see `exit_code` above 128.
        container_id: id in the container runtime: `containerd://…`.
    """

    exit_code: int
    reason: str = ""
    message: str = ""
    signal: int | None = None
    started: datetime | None = None
    finished: datetime | None = None
    container_id: str = ""


class Taint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A taint of a node.

    Attributes:
        effect: `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    """

    key: str
    effect: str
    value: str = ""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One endpoint of an EndpointSlice.

    Attributes:
        addresses: IP addresses or, for address type `FQDN`, names.
        pod: name of the pod; empty if it is no pod.
        uid: uid of the pod.
        terminating: whether the pod is being deleted.
    """

    addresses: tuple[str, ...]
    pod: str = ""
    uid: str = ""
    node: str = ""
    terminating: bool = False


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A port of all endpoints of an EndpointSlice: the target port in the pods.

    Attributes:
        name: name of the port in the Service.
        port: 0 if the slice has no port number.
        protocol: `TCP`, `UDP` or `SCTP`.
    """

    port: int
    name: str = ""
    protocol: str = "TCP"
