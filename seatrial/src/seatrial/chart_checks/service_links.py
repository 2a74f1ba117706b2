"""Find containers that take a variable of a Service link for their own setting. Pure.

In each container, Kubernetes sets `<SERVICE>_PORT=tcp://…` and more for every Service of the namespace:
https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from seatrial.chart_checks.pods import containers_of, described_pods, mapping, sequence
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["service_link_collisions"]

_SUFFIXES = ("PORT", "SERVICE_HOST", "SERVICE_PORT")


def service_link_collisions(objects: Sequence[Object]) -> Iterator[Finding]:
    """Yield a finding for each container with settings `<SERVICE>_…` that does not set `<SERVICE>_PORT` itself.

    Such a program probably reads `<SERVICE>_PORT` as a number, too.
    """
    services = set(_services(objects))
    for pod in described_pods(objects):
        if pod.spec.get("enableServiceLinks") is False:
            continue
        for container in containers_of(pod.spec):
            names = {str(mapping(each).get("name", "")) for each in sequence(container.get("env"))}
            for service in sorted(name for namespace, name in services if namespace == pod.subject.namespace):
                prefix = service.upper().replace("-", "_")
                injected = [f"{prefix}_{suffix}" for suffix in _SUFFIXES]
                own = sorted(name for name in names if name.startswith(f"{prefix}_") and name not in injected)
                if own and injected[0] not in names:
                    yield _finding(pod.subject, str(container.get("name", "")), service, injected[0], own[0])


def _finding(subject: ObjectRef, container: str, service: str, injected: str, own: str) -> Finding:
    named = ObjectRef(kind=subject.kind, name=subject.name, namespace=subject.namespace, container=container)
    return Finding(
        cause="ServiceLinkCollision",
        subject=named,
        message=f"Service {service} sets {injected}=tcp://… in this container, whose own settings begin with "
        f"{injected.removesuffix('PORT')}, too: {own}",
        hint="set enableServiceLinks: false in the pod's specification",
    )


def _services(objects: Iterable[Object]) -> Iterator[tuple[str, str]]:
    for obj in objects:
        if obj.get("kind") == "Service":
            meta = mapping(obj.get("metadata"))
            yield str(meta.get("namespace", "")), str(meta.get("name", ""))
