"""Which pod a connection to a Service goes to. Pure: EndpointSlices in, endpoints out.

Format: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from seatrial.ports import Object

__all__ = ["SERVICE_LABEL", "Target", "choose", "service_ports", "silence", "targets"]

SERVICE_LABEL: Final = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Target:
    """A pod behind a port of a Service, and the port in the pod."""

    pod: str
    uid: str
    port: int


def service_ports(service: Object) -> dict[int, str]:
    """Return the TCP ports of a Service with their names; a Service of one port need not name it."""
    ports = (service.get("spec") or {}).get("ports") or ()
    return {int(port["port"]): str(port.get("name") or "") for port in ports if port.get("protocol", "TCP") == "TCP"}


def targets(slices: Iterable[Object], port_name: str) -> list[Target]:
    """Return the ready pods of a Service behind its port of this name.

    A pod that is terminating is not ready, and one whose readiness nobody knows counts as ready, as the API says.
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
    """Return the pod that a new connection goes to: the newest, because an older one is the next to go.

    Args:
        ready: pods that are ready.
        created: when each pod was created, by its uid, as the API writes times.
        avoid: uids of pods that just refused; they are taken only if there is no other.
    """
    return max(
        ready, key=lambda target: (target.uid not in avoid, created.get(target.uid, ""), target.pod), default=None
    )


def silence(service: str, namespace: str, slices: Iterable[Object]) -> str:
    """Return why a Service has no pod to connect to."""
    endpoints = [endpoint for each in slices for endpoint in each.get("endpoints") or ()]
    pods = [endpoint for endpoint in endpoints if (endpoint.get("targetRef") or {}).get("kind") == "Pod"]
    if endpoints and not pods:
        return f"the endpoints of Service {namespace}/{service} are no pods, which the API cannot forward to"
    if not pods:
        return f"Service {namespace}/{service} has no pods"
    return f"none of the {len(pods)} pods of Service {namespace}/{service} is ready"
