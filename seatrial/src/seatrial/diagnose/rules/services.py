"""Find out why a Service does not answer: its selector, its pods, its target port, a NetworkPolicy, or DNS. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from seatrial.diagnose.rules.objects import containers_of, is_ready, object_ref
from seatrial.diagnose.rules.policies import Peer, blocking_policies
from seatrial.model.connection import Connection, Outcome
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["Network", "concerns_service", "service_problems"]

_SERVICE: Final = "kubernetes.io/service-name"
_BLOCKED: Final = frozenset((Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.UNREACHABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What decides whether Services answer.

    Attributes:
        services: the Services.
        slices: their EndpointSlices.
        pods: the pods of their namespaces.
        workloads: Deployments, StatefulSets and DaemonSets of their namespaces.
        policies: the NetworkPolicies of their namespaces and of the runner pod's.
        connections: results of connections from the runner pod; empty if there is no runner pod.
        runner: the runner pod; None if it does not exist.
        namespace_labels: namespace to its labels.
    """

    services: Sequence[Object] = ()
    slices: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    workloads: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    connections: Sequence[Connection] = ()
    runner: Object | None = None
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def service_problems(seen: Network) -> list[Finding]:
    """Return what keeps each Service with a selector from answering, and whether names resolve."""
    found = []
    for service in seen.services:
        if service["spec"].get("selector"):
            problem = _unserved(service, seen) or _wrong_name(service, seen) or _unanswered(service, seen)
            found += [problem] if problem else []
    return [*_dns(seen.connections, found), *found]


def concerns_service(problem: Finding, namespace: str, service: str) -> bool:
    """Return whether a result of `service_problems` keeps a Service from answering."""
    if problem.cause == "DnsUnavailable":
        return True
    if problem.cause == "NetworkPolicy":
        return f" to service {service}:" in problem.message or f" to service {service} (" in problem.message
    return (problem.subject.namespace, problem.subject.name) == (namespace, service)


def _selected(service: Object, objects: Iterable[Object], *, template: bool) -> list[Object]:
    """Return the pods, or the workloads, that a Service selects."""
    wanted = service["spec"]["selector"].items()
    place = service["metadata"]["namespace"]
    here = (each for each in objects if each["metadata"].get("namespace") == place)
    return [
        each
        for each in here
        if wanted <= (_template_labels(each) if template else each["metadata"].get("labels") or {}).items()
    ]


def _template_labels(workload: Object) -> Object:
    """Return the labels of the pods that a workload creates."""
    return (workload["spec"].get("template", {}).get("metadata") or {}).get("labels") or {}


def _endpoints(service: Object, slices: Iterable[Object]) -> list[Object]:
    """Return the EndpointSlices of a Service that have ready endpoints."""
    meta = service["metadata"]
    return [
        part
        for part in slices
        if part["metadata"]["namespace"] == meta["namespace"]
        and (part["metadata"].get("labels") or {}).get(_SERVICE) == meta["name"]
        and any((each.get("conditions") or {}).get("ready") is not False for each in part.get("endpoints") or ())
    ]


def _unserved(service: Object, seen: Network) -> Finding | None:
    """Return why a Service has no ready pod; None if it has one."""
    if _endpoints(service, seen.slices):
        return None
    selector = ",".join(f"{key}={value}" for key, value in sorted(service["spec"]["selector"].items()))
    pods = _selected(service, seen.pods, template=False)
    if pods:
        ready = sum(is_ready(each) for each in pods)
        message = f"it has no ready pod: {ready} of {len(pods)} pods with {selector} are ready"
        return _finding(service, "NoEndpoints", message, "make its pods ready", "has no ready pod")
    for workload in _selected(service, seen.workloads, template=True):
        ref = object_ref(workload)
        if workload["spec"].get("replicas") == 0:
            hint = f"kubectl -n {ref.namespace} scale {ref} --replicas=1"
            return _finding(
                service, "ScaledDown", f"it has no pod: {ref} is scaled to 0 replicas", hint, "is scaled to 0"
            )
        return _finding(service, "NoEndpoints", f"it has no pod: {ref} has created none", "", "has no pod")
    if near := _similar(service, seen.workloads):
        labels = _template_labels(near)
        has = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        message = f"its selector {selector} matches no pod; the pods of {object_ref(near)} have {has}"
        return _finding(
            service, "SelectorMismatch", message, "correct the Service's selector or the labels of the pods",
            "selects no pod",
        )  # fmt: skip
    message = f"its selector {selector} matches no pod, and no workload creates one"
    return _finding(service, "NoEndpoints", message, "install the workload, or correct the selector", "has no pod")


def _similar(service: Object, workloads: Iterable[Object]) -> Object | None:
    """Return the workload that a Service was probably meant for: of the same name, or with most of its labels."""
    place, wanted = service["metadata"]["namespace"], service["spec"]["selector"]
    here = [each for each in workloads if each["metadata"].get("namespace") == place]
    by_name = [each for each in here if each["metadata"]["name"] == service["metadata"]["name"]]
    if by_name:
        return by_name[0]

    def shared(workload: Object) -> int:
        labels = _template_labels(workload)
        return sum(labels.get(key) == value for key, value in wanted.items())

    best = max(here, key=shared, default=None)
    return best if best is not None and shared(best) else None


def _wrong_name(service: Object, seen: Network) -> Finding | None:
    """Return the target port of a Service by a name that no container of its pods declares; None if all are."""
    pods = [each for each in _selected(service, seen.pods, template=False) if is_ready(each)]
    names = {str(each.get("name")) for pod in pods for each in _ports(pod) if each.get("name")}
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort")
        if pods and isinstance(target, str) and target not in names:
            message = (
                f"its target port has the name {target}, and its pods declare {', '.join(sorted(names)) or 'no name'}"
            )
            return _finding(
                service, "WrongTargetPort", message, "correct targetPort of the Service or the port's name in the pod",
                f"has the wrong target port {target}",
            )  # fmt: skip
    return None


def _ports(pod: Object) -> Iterator[Object]:
    for container in containers_of(pod["spec"]):
        yield from container.get("ports") or ()


def _unanswered(service: Object, seen: Network) -> Finding | None:
    """Return why no connection from the runner pod to the pods of a Service was accepted; None if one was."""
    meta = service["metadata"]
    mine = [each for each in seen.connections if (each.namespace, each.service) == (meta["namespace"], meta["name"])]
    direct = [each for each in mine if each.to == "pod"]
    if not direct or any(each.outcome is Outcome.OPEN for each in direct) or seen.runner is None:
        return None
    failed = direct[0]
    evidence = tuple(f"{each.host}:{each.port}: {each.outcome}" for each in mine)
    pod = next(
        (
            each
            for each in seen.pods
            if (each.get("status") or {}).get("podIP") == failed.host
            and each["metadata"]["namespace"] == meta["namespace"]
        ),
        None,
    )
    if pod is not None and (blocked := _blocked(service, pod, failed, seen, evidence)):
        return blocked
    if failed.outcome is not Outcome.REFUSED:
        how = f"a connection to its pod {failed.host}:{failed.port} {failed.outcome.value}"
        message = f"{how}, and no NetworkPolicy forbids it"
        return _finding(
            service, "NoAnswer", message, "check the network plug-in of the nodes", "does not answer", *evidence
        )
    declared = sorted({int(each["containerPort"]) for each in _ports(pod)}) if pod is not None else []
    if declared and failed.port not in declared:
        listed = ", ".join(map(str, declared))
        message = f"nothing listens at its target port {failed.port}; its pods declare {listed}"
        return _finding(
            service, "WrongTargetPort", message, "correct targetPort of the Service",
            f"has the wrong target port {failed.port}", *evidence,
        )  # fmt: skip
    message = (
        f"its pods are ready and refuse connections: the program does not listen at port {failed.port} of their address"
    )
    hint = "let the program listen at 0.0.0.0 instead of 127.0.0.1, or correct targetPort of the Service"
    return _finding(service, "NotListening", message, hint, "refuses connections", *evidence)


def _blocked(
    service: Object, pod: Object, failed: Connection, seen: Network, evidence: tuple[str, ...]
) -> Finding | None:
    """Return the NetworkPolicies that forbid a connection which failed; None if they allow it."""
    runner = seen.runner
    if runner is None or failed.outcome not in _BLOCKED:
        return None
    source, target = (
        Peer(pod=each, namespace_labels=seen.namespace_labels.get(each["metadata"].get("namespace", ""), {}))
        for each in (runner, pod)
    )
    blocking = blocking_policies(seen.policies, source, target, failed.port)
    if not blocking:
        return None
    policy, side = blocking[0]
    ref = ObjectRef(kind="NetworkPolicy", name=policy["metadata"]["name"], namespace=policy["metadata"]["namespace"])
    whom = f"connections of pod {runner['metadata']['name']} to service {service['metadata']['name']}"
    rest = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
    return Finding(
        cause="NetworkPolicy",
        subject=ref,
        message=f"it forbids {whom}{rest}: {side} to port {failed.port}; a connection {failed.outcome.value}",
        evidence=evidence,
        hint=f"add a rule that allows it: kubectl -n {ref.namespace} describe networkpolicy {ref.name}",
        brief=f"is blocked by the NetworkPolicy {ref.name}",
    )


def _dns(connections: Sequence[Connection], found: Sequence[Finding]) -> list[Finding]:
    """Return that names do not resolve although addresses answer."""
    by_name = [each for each in connections if each.to == "name"]
    unresolved = [each for each in by_name if each.outcome is Outcome.UNRESOLVED]
    policies = any(each.cause == "NetworkPolicy" for each in found)
    if not unresolved or len(unresolved) < len(by_name) or policies:
        return []
    first = unresolved[0]
    return [
        Finding(
            cause="DnsUnavailable",
            subject=ObjectRef(kind="Service", name="kube-dns", namespace="kube-system"),
            message=f"no name of a Service resolves in the runner pod, {first.host} among them: {first.text}",
            evidence=tuple(f"{each.host}: {each.text}" for each in unresolved),
            hint="kubectl -n kube-system get pods -l k8s-app=kube-dns",
            brief="has no DNS",
        )
    ]


def _finding(service: Object, cause: str, message: str, hint: str, *about: str) -> Finding:
    """Return a finding about a Service; `about` is the cause in a few words, and lines of evidence."""
    brief, *evidence = about
    return Finding(
        cause=cause, subject=object_ref(service), message=message, evidence=tuple(evidence), hint=hint, brief=brief
    )  # fmt: skip
