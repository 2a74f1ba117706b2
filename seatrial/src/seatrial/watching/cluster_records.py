"""Turn events, nodes, EndpointSlices and NetworkPolicies into records of the timeline. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal

from seatrial.model.timeline import (
    EndpointsRecord,
    EventRecord,
    NodeRecord,
    PolicyRecord,
    RefusalRecord,
    Seen,
)
from seatrial.model.timeline_parts import ClusterObject, Endpoint, EndpointPort, Taint
from seatrial.ports import Object
from seatrial.watching.record_values import conditions_of, integer, time_of

__all__ = ["endpoints_record", "event_record", "node_record", "policy_record", "refusal_record"]

_CONTAINER: Final = re.compile(r"spec\.(?:initContainers|containers|ephemeralContainers)\{(.+)\}")
_ALLOCATABLE: Final = ("cpu", "memory", "ephemeral-storage", "pods")
_REFUSED: Final = ("FailedCreate", "FailedCreatePod")
_WORKLOADS: Final = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController", "CronJob")

_QUOTA: Final = re.compile(r"exceeded quota: ([^,\s]+)|failed quota: ([^:\s]+)")
_WEBHOOK: Final = re.compile(r'(?:admission webhook|failed calling webhook) "([^"]+)"')
_POLICY: Final = re.compile(r"violates PodSecurity \"([^\"]+)\"|ValidatingAdmissionPolicy '([^']+)'")
_LIMIT_RANGE: Final = re.compile(
    r"(?:maximum|minimum) \S+ usage per (?:Container|Pod|PersistentVolumeClaim)|limit to request"
)


def event_record(event: Object, seen: Seen, at: datetime) -> EventRecord:
    """Return the record of an Event."""
    meta, about, source = event["metadata"], event.get("involvedObject") or {}, event.get("source") or {}
    series = event.get("series") or {}
    happened = time_of(event.get("eventTime"))
    container = _CONTAINER.fullmatch(str(about.get("fieldPath") or ""))
    return EventRecord(
        at=at,
        seen=seen,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        regarding=ClusterObject(
            kind=about.get("kind", ""),
            name=about.get("name", ""),
            namespace=about.get("namespace", ""),
            uid=about.get("uid", ""),
            container=container[1] if container else "",
        ),
        type=event.get("type") or "Normal",
        reason=event.get("reason") or "",
        message=event.get("message") or "",
        count=integer(event.get("count")) or integer(series.get("count")) or 1,
        first=time_of(event.get("firstTimestamp")) or happened or time_of(meta.get("creationTimestamp")),
        last=time_of(series.get("lastObservedTime"))
        or time_of(event.get("lastTimestamp"))
        or happened
        or time_of(meta.get("creationTimestamp")),
        source=source.get("component") or event.get("reportingComponent") or "",
        node=source.get("host") or "",
    )


def refusal_record(event: EventRecord) -> RefusalRecord | None:
    """Return the refusal that an event reports; None if it reports none."""
    if event.type != "Warning" or event.reason not in _REFUSED or event.regarding.kind not in _WORKLOADS:
        return None
    by, policy = _refuser(event.message)
    return RefusalRecord(
        at=event.at,
        namespace=event.namespace,
        by=by,
        policy=policy,
        regarding=event.regarding,
        reason=event.reason,
        message=event.message,
        count=event.count,
        first=event.first,
        last=event.last,
        event=event.uid,
    )


def _refuser(message: str) -> tuple[Literal["quota", "limit-range", "policy", "webhook", "other"], str]:
    """Return what refused a pod, and its name.

    Messages are those of the admission plug-ins ResourceQuota, LimitRanger, PodSecurity and of webhooks:
    https://github.com/kubernetes/kubernetes/tree/v1.34.0/plugin/pkg/admission
    """
    if match := _QUOTA.search(message):
        return "quota", match[1] or match[2]
    if match := _WEBHOOK.search(message):
        return "webhook", match[1]
    if match := _POLICY.search(message):
        return "policy", match[1] or match[2]
    return ("limit-range" if _LIMIT_RANGE.search(message) else "other"), ""


def node_record(node: Object, seen: Seen, at: datetime) -> NodeRecord:
    """Return the record of a node."""
    meta, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    conditions = conditions_of(status)
    allocatable = status.get("allocatable") or {}
    return NodeRecord(
        at=at,
        seen=seen,
        name=meta["name"],
        uid=meta.get("uid", ""),
        ready=any(each.type == "Ready" and each.status == "True" for each in conditions),
        unschedulable=bool(spec.get("unschedulable")),
        conditions=conditions,
        taints=tuple(
            Taint(key=each.get("key", ""), effect=each.get("effect", ""), value=each.get("value") or "")
            for each in spec.get("taints") or ()
        ),
        allocatable={name: str(allocatable[name]) for name in _ALLOCATABLE if name in allocatable},
        addresses=tuple(each["address"] for each in status.get("addresses") or () if each.get("type") == "InternalIP"),
        kubelet=(status.get("nodeInfo") or {}).get("kubeletVersion", ""),
    )


def endpoints_record(obj: Object, seen: Seen, at: datetime) -> EndpointsRecord:
    """Return the record of an EndpointSlice. An endpoint without a known state counts as ready, as in Kubernetes."""
    meta = obj["metadata"]
    ready: list[Endpoint] = []
    not_ready: list[Endpoint] = []
    for each in obj.get("endpoints") or ():
        state, target = each.get("conditions") or {}, each.get("targetRef") or {}
        endpoint = Endpoint(
            addresses=tuple(each.get("addresses") or ()),
            pod=target.get("name", "") if target.get("kind") == "Pod" else "",
            uid=target.get("uid", "") if target.get("kind") == "Pod" else "",
            node=each.get("nodeName") or "",
            terminating=bool(state.get("terminating")),
        )
        (not_ready if state.get("ready") is False else ready).append(endpoint)
    return EndpointsRecord(
        at=at,
        seen=seen,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        service=(meta.get("labels") or {}).get("kubernetes.io/service-name", ""),
        address_type=obj.get("addressType") or "IPv4",
        ready=tuple(ready),
        not_ready=tuple(not_ready),
        ports=tuple(
            EndpointPort(
                port=integer(each.get("port")), name=each.get("name") or "", protocol=each.get("protocol") or "TCP"
            )
            for each in obj.get("ports") or ()
        ),
    )


def policy_record(obj: Object, seen: Seen, at: datetime) -> PolicyRecord:
    """Return the record of a NetworkPolicy."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    return PolicyRecord(
        at=at,
        seen=seen,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        selector=(spec.get("podSelector") or {}).get("matchLabels") or {},
        types=tuple(spec.get("policyTypes") or ()),
        ingress_rules=len(spec.get("ingress") or ()),
        egress_rules=len(spec.get("egress") or ()),
        created=time_of(meta.get("creationTimestamp")),
    )
