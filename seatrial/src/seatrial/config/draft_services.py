"""Find the Services of rendered charts, and how their pods show that they are ready. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

__all__ = ["FoundService", "services_of"]

_WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


class FoundService(msgspec.Struct, frozen=True, kw_only=True):
    """A Service of a chart.

    Attributes:
        port: its first port.
        container_port: port of the container behind `port`; None: unknown.
        path: HTTP path that the readiness probe of its pods requests; empty if there is no such probe.
        path_port: port of the Service for that path if it is not `port`.
    """

    name: str
    port: int
    container_port: int | None = None
    path: str = ""
    path_port: int | None = None


def services_of(objects: Sequence[Mapping[str, Any]]) -> list[FoundService]:
    """Return the Services of a rendered chart. A headless Service is left out if another one selects the same pods."""
    services = [obj for obj in objects if obj.get("kind") == "Service" and obj.get("spec", {}).get("ports")]
    workloads = [obj for obj in objects if obj.get("kind") in _WORKLOADS]
    addressed = [_selector(service) for service in services if service["spec"].get("clusterIP") != "None"]
    found = []
    for service in services:
        if service["spec"].get("clusterIP") == "None" and _selector(service) in addressed:
            continue
        found.append(_service(service, workloads))
    return sorted(found, key=lambda service: service.name)


def _selector(service: Mapping[str, Any]) -> dict[str, str]:
    return dict(service["spec"].get("selector") or {})


def _service(service: Mapping[str, Any], workloads: Sequence[Mapping[str, Any]]) -> FoundService:
    ports = service["spec"]["ports"]
    name, port = service["metadata"]["name"], int(ports[0]["port"])
    containers = list(_containers(_selector(service), workloads))
    target = ports[0].get("targetPort", port)
    named = (number for container in containers if (number := _number(target, container)))
    found = FoundService(name=name, port=port, container_port=target if isinstance(target, int) else next(named, None))
    for container in containers:
        probe = container.get("readinessProbe", {}).get("httpGet")
        if not probe:
            continue
        asked = _number(probe.get("port"), container)
        for candidate in ports:
            if _number(candidate.get("targetPort", candidate["port"]), container) == asked:
                path_port = int(candidate["port"])
                other = path_port if path_port != port else None
                return replace(found, path=probe.get("path") or "/", path_port=other)
    return found


def _containers(selector: Mapping[str, str], workloads: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the containers of the pods that a Service selects."""
    for workload in workloads:
        template = workload["spec"]["template"]
        labels = template.get("metadata", {}).get("labels", {})
        if selector and selector.items() <= labels.items():
            yield from template["spec"]["containers"]


def _number(port: Any, container: Mapping[str, Any]) -> int | None:
    """Return the number of a container port given by number or name."""
    if isinstance(port, int):
        return port
    for declared in container.get("ports", ()):
        if declared.get("name") == port:
            return int(declared["containerPort"])
    return int(port) if isinstance(port, str) and port.isdigit() else None
