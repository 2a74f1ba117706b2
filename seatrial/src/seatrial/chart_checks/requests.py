"""Find pods whose requests exceed the capacity of every node. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from seatrial.chart_checks.pods import DescribedPod, containers_of, described_pods, mapping
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["oversized_pods", "quantity"]

_SUFFIXES: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(m|k|[MGTPE]i?|Ki)?")
_MIB: Final = 2**20


def quantity(text: object) -> Decimal | None:
    """Return a quantity such as `500m` or `2Gi` as a number; None if it is not one.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    found = _QUANTITY.fullmatch(str(text).strip())
    return Decimal(found[1]) * _SUFFIXES[found[2] or ""] if found else None


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
