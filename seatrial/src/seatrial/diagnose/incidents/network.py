"""Find Services without endpoints or with another target port, and NetworkPolicies that allow no connection. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from seatrial.diagnose.incidents.incident import Incident, ServiceName
from seatrial.diagnose.service_map import ServiceMap
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.timeline import ContainerRecord, EndpointsRecord, PodRecord, PolicyRecord
from seatrial.model.timeline_index import TimelineIndex

__all__ = ["network_incidents"]

_DNS: Final = ("kube-system", "kube-dns")
"""The Service of the cluster's DNS, whatever its implementation."""


def network_incidents(index: TimelineIndex, services: ServiceMap, runner: str) -> list[Incident]:
    """Return what happened to the network between tests and services.

    Args:
        index: the timeline.
        services: the known Services.
        runner: name of the runner pod.
    """
    slices: dict[ServiceName, list[EndpointsRecord]] = {}
    for record in index.of(EndpointsRecord):
        if record.service:
            slices.setdefault((record.namespace, record.service), []).append(record)
    found: list[Incident] = []
    for key, records in slices.items():
        found += _unserved(key, records, index, services)
        found += _wrong_port(key, records, index)
    found += _blocked(index, services, runner)
    return found


def _unserved(
    key: ServiceName, records: Sequence[EndpointsRecord], index: TimelineIndex, services: ServiceMap
) -> Iterator[Incident]:
    """Yield the times in which a Service that had ready endpoints had none."""
    current: dict[str, EndpointsRecord] = {}
    had, since, deleted = False, None, False
    for record in records:
        current[record.name] = record
        ready = any(each.ready for each in current.values() if each.seen != "deleted")
        if had and not ready and since is None:
            since = record
            # Kubernetes deletes the slices of a Service together with it.
            deleted = all(each.seen == "deleted" for each in current.values())
        elif ready and since is not None:
            yield _gone(key, since, record) if deleted else _no_endpoints(key, since, record, index, services)
            since = None
        had = had or ready
    if since is not None:
        yield _gone(key, since, None) if deleted else _no_endpoints(key, since, None, index, services)


def _gone(key: ServiceName, since: EndpointsRecord, again: EndpointsRecord | None) -> Incident:
    finding = Finding(
        cause="ServiceDeleted",
        subject=ObjectRef(kind="Service", name=key[1], namespace=key[0]),
        message="the Service was deleted",
        brief="was deleted",
    )
    end = again.at if again else None
    return Incident(finding=finding, begin=since.at, end=end, namespace=key[0], services=frozenset((key,)))


def _no_endpoints(
    key: ServiceName, since: EndpointsRecord, again: EndpointsRecord | None, index: TimelineIndex, services: ServiceMap
) -> Incident:
    dns = key == _DNS
    # The pods were ready, and the Service selects none of them: its selector or their labels were changed.
    known = services.services.get(key)
    behind = [uid for uid, names in services.pods.items() if key in names]
    ready = [pod for pod in _last_pods(index, since) if pod.uid in behind and pod.ready and pod.deletion is None]
    mismatch = bool(ready) and not dns and known is not None and not since.not_ready
    cause = "DnsUnavailable" if dns else "SelectorMismatch" if mismatch else "NoEndpoints"
    finding = Finding(
        cause=cause,
        subject=ObjectRef(kind="Service", name=key[1], namespace=key[0]),
        message="its selector matches no pod, although pods that it selected are ready" if mismatch
        else "no pod of the cluster's DNS is ready" if dns else "it has no ready pod",
        brief="has no DNS pod" if dns else "had no ready pod",
    )  # fmt: skip
    return Incident(
        finding=finding, begin=since.at, end=again.at if again else None, namespace=key[0],
        services=frozenset((key,)), everywhere=dns,
    )  # fmt: skip


def _last_pods(index: TimelineIndex, until: EndpointsRecord) -> list[PodRecord]:
    latest: dict[str, PodRecord] = {}
    for pod in index.of(PodRecord):
        if pod.at <= until.at:
            latest[pod.uid] = pod
    return [pod for pod in latest.values() if pod.seen != "deleted"]


def _wrong_port(key: ServiceName, records: Sequence[EndpointsRecord], index: TimelineIndex) -> Iterator[Incident]:
    """Yield changes of the target port to one that no container of the pods declares."""
    declared: dict[str, set[int]] = {}
    for container in index.of(ContainerRecord):
        declared.setdefault(container.uid, set()).update(container.ports)
    for before, after in pairwise(records):
        if before.name != after.name or before.ports == after.ports or not after.ready:
            continue
        wrong = [
            port.port
            for port in after.ports
            if port not in before.ports
            and all(port.port not in declared.get(each.uid, {port.port}) for each in after.ready)
        ]
        if wrong:
            back = next((each.at for each in records if each.at > after.at and each.ports == before.ports), None)
            finding = Finding(
                cause="WrongTargetPort",
                subject=ObjectRef(kind="Service", name=key[1], namespace=key[0]),
                message=f"its target port became {wrong[0]}, which no container of its pods declares",
                brief=f"has the wrong target port {wrong[0]}",
            )
            yield Incident(
                finding=finding, begin=after.at, end=back, namespace=key[0], services=frozenset((key,))
            )  # fmt: skip


def _blocked(index: TimelineIndex, services: ServiceMap, runner: str) -> Iterator[Incident]:
    """Yield the times in which a policy allowed no connection to the pods of a Service, or none from the runner pod."""
    histories: dict[str, list[PolicyRecord]] = {}
    for record in index.of(PolicyRecord):
        histories.setdefault(record.uid, []).append(record)
    pods = {pod.uid: pod for pod in index.of(PodRecord)}
    for history in histories.values():
        first = history[0]
        if first.seen == "listed":
            # The tests before it passed with this policy.
            continue
        deleted = next((each.at for each in history if each.seen == "deleted"), None)
        chosen = [
            pod
            for pod in pods.values()
            if pod.namespace == first.namespace and first.selector.items() <= pod.labels.items()
        ]
        outgoing = any(pod.name == runner and pod.namespace == services.namespace for pod in chosen)
        its = frozenset(pod.uid for pod in chosen if services.pods.get(pod.uid))
        incoming = bool(its) and "Ingress" in first.types
        if incoming or (outgoing and "Egress" in first.types):
            allowed = first.ingress_rules if incoming else first.egress_rules
            side = "connections to pods of its namespace" if incoming else "connections of the runner pod"
            rules = f"allows only {allowed} kinds of" if allowed else "allows no"
            finding = Finding(
                cause="NetworkPolicy",
                subject=ObjectRef(kind="NetworkPolicy", name=first.name, namespace=first.namespace),
                message=f"it was created and {rules} {side}",
                brief=f"is blocked by the NetworkPolicy {first.name}",
                hint=f"kubectl -n {first.namespace} describe networkpolicy {first.name}",
            )
            yield Incident(
                finding=finding, begin=min(first.at, first.created or first.at), end=deleted, namespace=first.namespace,
                pods=its if incoming else frozenset(), everywhere=not incoming,
            )  # fmt: skip
