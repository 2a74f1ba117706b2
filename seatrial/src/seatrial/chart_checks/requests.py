"""Find pods whose requests exceed the capacity of every node. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from seatrial.chart_checks.pods import DescribedPod, containers_of, described_pods, mapping
from seatrial.model.finding import Finding
from seatrial.model.quantity import quantity
from seatrial.ports import Object

__all__ = ["oversized_pods"]

_MIB: Final = 2**20


def oversized_pods(objects: Iterable[Object], *, cpus: int, memory: int) -> Iterator[Finding]:
    """Yield a finding for each pod that requests more CPUs or memory than a node has.

    Args:
        objects: rendered objects, with namespaces.
        cpus: of the largest node; 0: unknown.
        memory: of the largest node, in bytes; 0: unknown.
    """
    for pod in described_pods(objects):
        wanted = _request(pod.spec, "cpu")
        if cpus and wanted > cpus:
            yield _finding(
                pod, f"requests {wanted.normalize():f} CPUs, and a node has {cpus}", "resources.requests.cpu"
            )
        wanted = _request(pod.spec, "memory")
        if memory and wanted > memory:
            message = f"requests {wanted / _MIB:.0f} MiB of memory, and a node has {memory // _MIB} MiB"
            yield _finding(pod, message, "resources.requests.memory")


def _finding(pod: DescribedPod, message: str, field: str) -> Finding:
    hint = f"reduce {field} in the values of this environment"
    return Finding(cause="Unschedulable", subject=pod.subject, message=message, hint=hint, fatal=True)


def _request(spec: Mapping[str, Any], resource: str) -> Decimal:
    """Return the request of a pod: that of all containers together, or of the largest init container.

    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    always = sum((_of(each, resource) for each in containers_of(spec)), Decimal(0))
    largest = Decimal(0)
    for each in containers_of(spec, "initContainers"):
        if each.get("restartPolicy") == "Always":
            always += _of(each, resource)
        else:
            largest = max(largest, _of(each, resource))
    return max(always, largest)


def _of(container: Mapping[str, Any], resource: str) -> Decimal:
    """Return a container's request; without one, its limit counts."""
    resources = mapping(container.get("resources"))
    for part in ("requests", "limits"):
        value = mapping(resources.get(part)).get(resource)
        if value is not None:
            return quantity(value) or Decimal(0)
    return Decimal(0)
