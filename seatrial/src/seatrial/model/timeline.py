"""The records of `timeline.jsonl`: what happened in the cluster during a run.

A record states how an object is at a time. The recorder writes one whenever a recorded field of the object changes, so
the latest record of an object at a time is its state at that time.

Times are in UTC. `at` is the clock of this machine, with microseconds. Other times are clocks of the cluster, most of
them in whole seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from seatrial.model.timeline_parts import (
    ClusterObject,
    Condition,
    Controller,
    Endpoint,
    EndpointPort,
    Taint,
    Termination,
)

__all__ = [
    "TIMELINE_FILE",
    "TIMELINE_SCHEMA",
    "ClusterObject",
    "Condition",
    "ContainerRecord",
    "Controller",
    "Endpoint",
    "EndpointPort",
    "EndpointsRecord",
    "EventRecord",
    "GapRecord",
    "JobRecord",
    "LogRecord",
    "NodeRecord",
    "PodRecord",
    "PolicyRecord",
    "Record",
    "RecordingRecord",
    "RefusalRecord",
    "Taint",
    "Termination",
    "WorkloadRecord",
    "decode_record",
    "decode_timeline",
    "encode_record",
]

TIMELINE_FILE: Final = "timeline.jsonl"
"""File name in the run directory."""

TIMELINE_SCHEMA: Final = 1
"""Version of the records. It is raised when readers of the version before would misunderstand a field."""

Seen = Literal["listed", "added", "modified", "deleted"]
"""`listed`: existed when the watch started or was resumed."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="record"):
    """Base of the records.

    Attributes:
        at: when the recorder received it.
    """

    at: datetime


class _ObjectRecord(_Record, frozen=True, kw_only=True):
    """Base of the records of one object in a namespace.

    Attributes:
        uid: differs between objects that have one name after another.
    """

    seen: Seen
    namespace: str
    name: str
    uid: str


class PodRecord(_ObjectRecord, frozen=True, kw_only=True, tag="pod"):
    """The state of a pod. Its containers have records of their own.

    Attributes:
        controller: null if it has none.
        labels: all labels; selectors of Services and policies match them.
        node: empty before it is scheduled.
        phase: `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
        ready: whether its condition `Ready` is true.
        reason: reason in Kubernetes for the whole pod: `Evicted`, `DeadlineExceeded`.
        addresses: IP addresses of the pod.
        created: when the API accepted it.
        started: when the kubelet accepted it.
        deletion: when it is deleted at the latest, with the grace period; null unless its deletion was requested. The
            request came `deletion_grace` seconds earlier.
        deletion_grace: seconds that its containers have to terminate.
        quality: quality of service: `Guaranteed`, `Burstable` or `BestEffort`.
        claims: names of the PersistentVolumeClaims that it mounts.
    """

    controller: Controller | None = None
    labels: dict[str, str] = {}
    node: str = ""
    phase: str = ""
    ready: bool = False
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[str, ...] = ()
    created: datetime | None = None
    started: datetime | None = None
    deletion: datetime | None = None
    deletion_grace: int | None = None
    quality: str = ""
    claims: tuple[str, ...] = ()


class ContainerRecord(_Record, frozen=True, kw_only=True, tag="container"):
    """The state of a container.

    Attributes:
        uid: uid of the pod.
        init: whether it is an init container.
        sidecar: whether it is an init container that keeps running.
        controller: controller of the pod.
        image: reference as in the pod.
        image_digest: the image that the node resolved: `…@sha256:…`.
        container_id: id in the container runtime: `containerd://…`.
        reason: why it waits or how it terminated: `CrashLoopBackOff`, `OOMKilled`, `Completed`.
        exit_code: of the terminated container.
        signal: number of the signal that ended it, if the runtime reports one; else see `exit_code` above 128.
        restarts: how often it was started again.
        ready: whether its readiness probe succeeds.
        startup_passed: whether its startup probe succeeded, or it runs without one.
        started: start of the running or terminated container.
        finished: end of the terminated container.
        last: how the previous start of the container ended; null for its first start.
        memory_limit: as in the pod: `512Mi`; empty if the container has no limit.
        probes: `liveness`, `readiness` and `startup` to what they ask: `GET http://:8080/healthz`.
        ports: container ports that the pod declares.
    """

    seen: Seen
    namespace: str
    pod: str
    uid: str
    container: str
    init: bool = False
    sidecar: bool = False
    controller: Controller | None = None
    node: str = ""
    image: str = ""
    image_digest: str = ""
    container_id: str = ""
    state: Literal["waiting", "running", "terminated"] = "waiting"
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    restarts: int = 0
    ready: bool = False
    startup_passed: bool = False
    started: datetime | None = None
    finished: datetime | None = None
    last: Termination | None = None
    memory_limit: str = ""
    memory_request: str = ""
    cpu_limit: str = ""
    cpu_request: str = ""
    probes: dict[str, str] = {}
    ports: tuple[int, ...] = ()


class WorkloadRecord(_ObjectRecord, frozen=True, kw_only=True, tag="workload"):
    """The state of a Deployment, StatefulSet, DaemonSet or ReplicaSet.

    Attributes:
        controller: the Deployment of a ReplicaSet.
        selector: labels of its pods; requirements of `matchExpressions` are left out.
        generation: grows with each change of the specification.
        observed_generation: the generation that its controller has seen.
        revision: of a Deployment or ReplicaSet: `deployment.kubernetes.io/revision`; of a StatefulSet: its newest
            revision.
        replicas: wanted pods; for a DaemonSet, nodes that shall run it.
        current: pods that exist.
        updated: pods of the newest template.
        images: images of the pod template.
        deletion: when its deletion was requested.
    """

    kind: str
    controller: Controller | None = None
    labels: dict[str, str] = {}
    selector: dict[str, str] = {}
    generation: int = 0
    observed_generation: int = 0
    revision: str = ""
    replicas: int = 0
    current: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    images: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    created: datetime | None = None
    deletion: datetime | None = None


class JobRecord(_ObjectRecord, frozen=True, kw_only=True, tag="job"):
    """The state of a Job.

    Attributes:
        controller: the CronJob of a Job.
        hook: when Helm runs it: `pre-install,pre-upgrade`; empty if it is no hook.
        completions: pods that must succeed.
        active: pods that run.
        succeeded: pods that succeeded.
        failed: pods that failed.
        backoff_limit: failed pods that are allowed.
        active_deadline: seconds that it may run; null if there is no limit.
        conditions: `Complete`, `Failed` with its reason, `Suspended`.
        deletion: when its deletion was requested.
    """

    controller: Controller | None = None
    labels: dict[str, str] = {}
    hook: str = ""
    completions: int = 1
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    backoff_limit: int = 6
    active_deadline: int | None = None
    images: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    deletion: datetime | None = None


class EventRecord(_ObjectRecord, frozen=True, kw_only=True, tag="event"):
    """An Event object of the cluster. Kubernetes counts repeated events in one object: each count has a record.

    Attributes:
        seen: `listed` events happened before the watch started.
        regarding: the involved object.
        type: `Normal` or `Warning`.
        reason: `Unhealthy`, `FailedMount`, `Evicted`, `Killing`.
        count: how often it happened so far.
        first: when it happened first.
        last: when it happened last.
        source: what reports it: `kubelet`, `default-scheduler`.
        node: node of the kubelet that reports it.
    """

    regarding: ClusterObject
    type: str
    reason: str
    message: str
    count: int = 1
    first: datetime | None = None
    last: datetime | None = None
    source: str = ""
    node: str = ""


class NodeRecord(_Record, frozen=True, kw_only=True, tag="node"):
    """The state of a node. Heartbeats alone have no record.

    Attributes:
        ready: whether its condition `Ready` is true.
        unschedulable: whether it is cordoned.
        conditions: `Ready`, `MemoryPressure`, `DiskPressure`, `PIDPressure`, `NetworkUnavailable`.
        allocatable: `cpu`, `memory`, `ephemeral-storage`, `pods` as quantities for pods.
        addresses: internal IP addresses.
        kubelet: version of the kubelet.
    """

    seen: Seen
    name: str
    uid: str
    ready: bool = False
    unschedulable: bool = False
    conditions: tuple[Condition, ...] = ()
    taints: tuple[Taint, ...] = ()
    allocatable: dict[str, str] = {}
    addresses: tuple[str, ...] = ()
    kubelet: str = ""


class EndpointsRecord(_ObjectRecord, frozen=True, kw_only=True, tag="endpoints"):
    """The state of an EndpointSlice. A Service may have several.

    Attributes:
        name: name of the slice.
        service: name of its Service; empty if it belongs to none.
        address_type: `IPv4`, `IPv6` or `FQDN`.
        ready: endpoints that get traffic.
        not_ready: endpoints that get none.
        ports: target ports of all endpoints.
    """

    service: str = ""
    address_type: str = "IPv4"
    ready: tuple[Endpoint, ...] = ()
    not_ready: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class PolicyRecord(_ObjectRecord, frozen=True, kw_only=True, tag="policy"):
    """The state of a NetworkPolicy.

    Attributes:
        selector: labels of the pods that it limits; empty: all pods of the namespace. Requirements of
            `matchExpressions` are left out.
        types: `Ingress`, `Egress`.
        ingress_rules: number of rules; 0 with type `Ingress`: no incoming connection is allowed.
        egress_rules: number of rules; 0 with type `Egress`: no outgoing connection is allowed.
    """

    selector: dict[str, str] = {}
    types: tuple[str, ...] = ()
    ingress_rules: int = 0
    egress_rules: int = 0
    created: datetime | None = None


class RefusalRecord(_Record, frozen=True, kw_only=True, tag="refusal"):
    """The API refused to create a pod of a workload or Job. Derived from Warning events such as `FailedCreate`.

    Attributes:
        by: `quota`, `limit-range`, `policy` (Pod Security or an admission policy), `webhook` or `other`.
        policy: name of the quota, policy or webhook; empty if the message does not name it.
        regarding: the workload, ReplicaSet or Job.
        count: how often it was refused so far.
        event: uid of the event.
    """

    namespace: str
    by: Literal["quota", "limit-range", "policy", "webhook", "other"]
    regarding: ClusterObject
    reason: str
    message: str
    policy: str = ""
    count: int = 1
    first: datetime | None = None
    last: datetime | None = None
    event: str = ""


class LogRecord(_Record, frozen=True, kw_only=True, tag="log"):
    """The log of one run of a container: one record when its file is created, one when it ends or is cut.

    Attributes:
        at: when the recorder wrote it.
        uid: uid of the pod.
        restarts: which run of the container: its restarts before. One file has one run of a container.
        container_id: id in the container runtime; empty if not known yet.
        file: path relative to the run directory. A log that was lost before its first line has no file.
        state: `opened`: more may follow; `ended`: the file is complete; `cut`: the size limit of the container or the
            run was reached, and the last line of the file says so; `lost`: the log could not be read to its end.
        bytes: size of the file. 0 in the record of an opened file.
        limit: bytes that the file may have; 0 unless `cut`.
        reason: why it was cut or lost, for people.
    """

    namespace: str
    pod: str
    uid: str
    container: str
    file: str
    state: Literal["opened", "ended", "cut", "lost"]
    restarts: int = 0
    container_id: str = ""
    bytes: int = 0
    limit: int = 0
    reason: str = ""


class GapRecord(_Record, frozen=True, kw_only=True, tag="gap"):
    """The recorder did not see changes of some objects for a time. Their state after it is in `listed` records.

    Attributes:
        at: end of the gap. If it has not ended, when it became known: for objects that may not be watched.
        started: start of the gap.
        resource: kind with its apiVersion: `v1/Pod`; `log` for the log of a container.
        namespace: empty: all namespaces, or an object without one.
        name: pod and container of a log: `web-0/api`; else empty.
        ended: whether watching went on after it. A later record with the same start tells when a gap without end ended.
        reason: what interrupted it: `connection closed`, `Forbidden`.
    """

    started: datetime
    resource: str
    namespace: str = ""
    name: str = ""
    ended: bool = True
    reason: str = ""


class RecordingRecord(_Record, frozen=True, kw_only=True, tag="recording"):
    """Recording started or ended: first and last record of a file. Without the last one, seatrial was killed.

    Attributes:
        at: when the recorder wrote it.
        schema: version of the records.
        state: `started` or `ended`.
        namespaces: namespaces that are recorded; empty: all of the cluster. Namespaces that tests create are recorded
            from their creation.
        isolated_for: tests create namespaces for this namespace; empty if they cannot create any.
    """

    state: Literal["started", "ended"]
    schema: int
    namespaces: tuple[str, ...] = ()
    isolated_for: str = ""


Record = (
    RecordingRecord
    | PodRecord
    | ContainerRecord
    | WorkloadRecord
    | JobRecord
    | EventRecord
    | NodeRecord
    | EndpointsRecord
    | PolicyRecord
    | RefusalRecord
    | LogRecord
    | GapRecord
)

_decoder: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Return a record as one line of JSON, without a line feed."""
    return msgspec.json.encode(record)


def decode_record(line: bytes) -> Record:
    """Return the record of one line.

    Raises:
        msgspec.DecodeError: the line is not a record, or its kind is unknown to this version.
    """
    return _decoder.decode(line)


def decode_timeline(data: bytes) -> list[Record]:
    """Return the records of a file in their order.

    Records unknown to this version are skipped, and so is a line that a killed recorder did not complete.
    """
    records = []
    for line in data.splitlines():
        try:
            records.append(_decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return records
