"""Choose the pod for a connection to a Service from its EndpointSlices. Pure.

Format: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from seatrial.ports import Object

__all__ = ["SERVICE_LABEL", "Target", "choose", "service_ports", "targets", "unavailable_reason"]

SERVICE_LABEL: Final = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Target:
    """A pod that serves a port of a Service, and the port in the pod."""

    pod: str
    uid: str
    port: int


def service_ports(service: Object) -> dict[int, str]:
    """Return the TCP ports of a Service with their names; the name of a single port may be empty."""
    ports = (service.get("spec") or {}).get("ports") or ()
    return {int(port["port"]): str(port.get("name") or "") for port in ports if port.get("protocol", "TCP") == "TCP"}


def targets(slices: Iterable[Object], port_name: str) -> list[Target]:
    """Return the ready pods of a Service for the port with this name.

    Terminating pods are not ready. Pods of unknown readiness count as ready, as the API specifies.
    """
    found = []
    for each in slices:
        port = next((p.get("port") for p in each.get("ports") or () if (p.get("name") or "") == port_name), None)
        if port is None:
            continue
        for endpoint in each.get("endpoints") or ():
            reference = endpoint.get("targetRef") or {}
            if (endpoint.get("conditions") or {}).get("ready") is not False and reference.get("kind") == "Pod":
                found.append(Target(str(reference["name"]), str(reference["uid"]), int(port)))
    return list(dict.fromkeys(found))


def choose(ready: Iterable[Target], created: Mapping[str, str], avoid: frozenset[str] = frozenset()) -> Target | None:
    """Return the pod for a new connection: the newest one, because a rollout deletes older ones first.

    Args:
        ready: pods that are ready.
        created: creation timestamp of each pod, by its uid.
        avoid: uids of pods that refused a connection; they are used only if there is no other pod.
    """
    return max(
        ready, key=lambda target: (target.uid not in avoid, created.get(target.uid, ""), target.pod), default=None
    )


def unavailable_reason(service: str, namespace: str, slices: Iterable[Object]) -> str:
    """Return why a Service has no pod to connect to."""
    endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or ()]
    pods = [endpoint for endpoint in endpoints if (endpoint.get("targetRef") or {}).get("kind") == "Pod"]
    if endpoints and not pods:
        return f"the endpoints of Service {namespace}/{service} are not pods, so the API cannot forward to them"
    if not pods:
        return f"Service {namespace}/{service} has no pods"
    return f"none of the {len(pods)} pods of Service {namespace}/{service} is ready"
