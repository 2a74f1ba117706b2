"""Read pods, their containers and their events, as the rules need them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from seatrial.model.finding import ObjectRef
from seatrial.ports import Object

__all__ = [
    "container_spec",
    "container_statuses",
    "containers_of",
    "event_time",
    "is_ready",
    "matches",
    "memory_limit",
    "object_ref",
    "pod_ref",
    "probe_text",
    "selects",
    "selects_pods",
    "short",
]

_LINE: Final = 160
"""Characters of a message that are shown at most."""


def short(message: str) -> str:
    """Return the first line of a message, cut to 160 characters."""
    line = message.strip().split("\n", 1)[0]
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def object_ref(obj: Object) -> ObjectRef:
    """Return the reference to an object."""
    meta = obj["metadata"]
    return ObjectRef(kind=obj["kind"], name=meta["name"], namespace=meta.get("namespace", ""))


def pod_ref(pod: Object, container: str = "") -> ObjectRef:
    """Return the reference to a pod, or to one of its containers."""
    meta = pod["metadata"]
    return ObjectRef(kind="Pod", name=meta["name"], namespace=meta.get("namespace", ""), container=container)


def container_statuses(pod: Object) -> list[Object]:
    """Return the statuses of all containers of a pod, init containers first; empty before the kubelet sees the pod."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def containers_of(spec: Object) -> list[Object]:
    """Return all containers of a pod's specification, init containers first."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def container_spec(pod: Object, name: str) -> Object:
    """Return the specification of a container; empty if the pod has no such container."""
    return next((each for each in containers_of(pod.get("spec") or {}) if each["name"] == name), {})


def memory_limit(pod: Object, container: str) -> str:
    """Return the memory limit of a container as it is written; empty if it has none."""
    return str(((container_spec(pod, container).get("resources") or {}).get("limits") or {}).get("memory", ""))


def is_ready(pod: Object) -> bool:
    """Whether the condition Ready is true: all containers and all conditions of `readinessGates`."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def probe_text(probe: Object) -> str:
    """Return what a probe asks."""
    if get := probe.get("httpGet"):
        scheme = str(get.get("scheme") or "HTTP").lower()
        return f"GET {scheme}://{get.get('host') or ''}:{get.get('port')}{get.get('path') or '/'}"
    if tcp := probe.get("tcpSocket"):
        return f"connect {tcp.get('host') or ''}:{tcp.get('port')}"
    if grpc := probe.get("grpc"):
        return f"gRPC :{grpc.get('port')} {grpc.get('service') or ''}".rstrip()
    return "exec " + " ".join((probe.get("exec") or {}).get("command") or ())


def event_time(event: Object) -> str:
    """Return the time of an event's last occurrence, in the notation of Kubernetes."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def selects_pods(service: Object, labels: Mapping[str, str] | None) -> bool:
    """Return whether a Service selects pods with labels; one without a selector selects none."""
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and selector.items() <= (labels or {}).items()


def selects(selector: Object, labels: Iterable[tuple[str, str]]) -> bool:
    """Return whether a LabelSelector matches labels; an empty one matches all."""
    given = dict(labels)
    if not (selector.get("matchLabels") or {}).items() <= given.items():
        return False
    return all(matches(each, given) for each in selector.get("matchExpressions") or ())


def matches(expression: Object, labels: Object) -> bool:
    """Return whether one expression of a selector matches labels; operators of numbers count as matching."""
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return True
