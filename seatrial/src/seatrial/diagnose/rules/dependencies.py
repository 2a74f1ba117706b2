"""Keep the causes among findings, and list at each cause the symptoms that it leads to. Pure.

A workload depends on a Service that a variable, an argument or a ConfigMap of its pods names, init containers included.
A crash of a catalog whose database finds no node is a symptom: the database's finding remains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from seatrial.diagnose.catalog import rank_of
from seatrial.diagnose.rules.objects import selects_pods
from seatrial.diagnose.rules.volumes import claims_of
from seatrial.diagnose.settings import named_services, settings_of
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Object

__all__ = ["Relations", "causes_only", "relations"]

_SYMPTOMS: Final = frozenset(
    (
        "Crash", "Exited", "InitContainerStuck", "InitContainerFailed", "ReadinessProbe", "StartupProbe",
        "LivenessProbe", "NoEndpoints", "NameNotResolved", "ProgressDeadlineExceeded", "NotReadyInTime", "NoAnswer",
        "NotListening", "Restarted", "BackoffLimitExceeded", "DeadlineExceeded", "HookFailed", "PodFailed",
        "ServerError",
    )
)  # fmt: skip
"""Causes that a service which does not answer leads to in services that use it."""

_WEAK: Final = frozenset(("Restarted", "CPUThrottled", "PodTerminating"))
"""Causes of services that answer: they explain no failure of another service."""

_WEBHOOKS: Final = frozenset(("WebhookTimeout", "WebhookUnreachable"))
"""Causes that a Service without pods leads to: the API server calls a webhook at its Service."""

_ON_NODE: Final = frozenset(
    (*_SYMPTOMS, "Evicted", "FailedMount", "FailedCreatePodSandBox", "PodTerminating", "UntoleratedTaint")
)
"""Causes that an unhealthy node leads to in its pods."""

Workload = tuple[str, str, str]
"""Namespace, kind and name of a workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """What belongs together in a cluster.

    Attributes:
        of_pod: namespace and name of a pod to its workload.
        of_claim: namespace and name of a PersistentVolumeClaim to the workloads with pods that use it.
        of_service: namespace and name of a Service to the workloads that it selects.
        node_of: namespace and name of a pod to its node.
        uses: workload to the workloads that it depends on, each with the setting that names it.
    """

    of_pod: Mapping[tuple[str, str], Workload] = field(default_factory=dict)
    of_claim: Mapping[tuple[str, str], frozenset[Workload]] = field(default_factory=dict)
    of_service: Mapping[tuple[str, str], frozenset[Workload]] = field(default_factory=dict)
    node_of: Mapping[tuple[str, str], str] = field(default_factory=dict)
    uses: Mapping[Workload, Mapping[Workload, str]] = field(default_factory=dict)

    def workloads_of(self, ref: ObjectRef) -> frozenset[Workload]:
        """Return the workloads that an object belongs to."""
        key = (ref.namespace, ref.name)
        match ref.kind:
            case "Pod":
                return frozenset((self.of_pod.get(key, (ref.namespace, "Pod", ref.name)),))
            case "PersistentVolumeClaim":
                return self.of_claim.get(key, frozenset())
            case "Service":
                return self.of_service.get(key, frozenset())
            case "Node" | "NetworkPolicy":
                return frozenset()
            case _:
                return frozenset(((ref.namespace, ref.kind, ref.name),))

    def path(self, user: Workload, used: Workload) -> str:
        """Return how a workload depends on another one, directly or through others; empty if it does not."""
        seen, queue = {user}, [(user, "")]
        for current, way in queue:
            for target, setting in self.uses.get(current, {}).items():
                step = f"{way}{setting} names {target[1].lower()}/{target[2]}"
                if target == used:
                    return step
                if target not in seen:
                    seen.add(target)
                    queue.append((target, f"{step}, its "))
        return ""


def relations(
    workloads: Sequence[Object],
    pods: Mapping[tuple[str, str], tuple[Object, Workload]],
    services: Iterable[Object],
    config_maps: Iterable[Object],
) -> Relations:
    """Return what belongs together.

    Args:
        workloads: Deployments, StatefulSets, DaemonSets, Jobs, and pods without a controller.
        pods: namespace and name of each pod to it and its workload.
        services: the Services.
        config_maps: the ConfigMaps that pods may take settings from.
    """
    templates = {
        (each["metadata"].get("namespace", ""), each["kind"], each["metadata"]["name"]): each["spec"].get(
            "template", each
        )
        for each in workloads
    }
    fronts = {
        (service["metadata"]["namespace"], service["metadata"]["name"]): frozenset(
            key
            for key, template in templates.items()
            if key[0] == service["metadata"]["namespace"]
            and selects_pods(service, (template.get("metadata") or {}).get("labels"))
        )
        for service in services
    }
    data = {(each["metadata"]["namespace"], each["metadata"]["name"]): each.get("data") or {} for each in config_maps}
    uses: dict[Workload, dict[Workload, str]] = {}
    for user, template in templates.items():
        for setting, value in settings_of(template["spec"], user[0], data):
            for service_key in named_services(setting, value, user[0], fronts):
                for used in fronts[service_key] - {user}:
                    uses.setdefault(user, {}).setdefault(used, setting)
    claims: dict[tuple[str, str], set[Workload]] = {}
    for (namespace, _), (pod, workload) in pods.items():
        for claim in claims_of(pod):
            claims.setdefault((namespace, claim), set()).add(workload)
    return Relations(
        of_pod={key: workload for key, (_, workload) in pods.items()},
        of_claim={key: frozenset(users) for key, users in claims.items()},
        of_service=fronts,
        node_of={key: str(pod["spec"].get("nodeName", "")) for key, (pod, _) in pods.items()},
        uses=uses,
    )


def causes_only(findings: Sequence[Finding], known: Relations) -> tuple[Finding, ...]:
    """Return the findings that no other finding explains, in their order, with the symptoms that each leads to.

    Args:
        findings: all findings; of two that explain each other, the one of the lower rank remains.
        known: what belongs together.
    """
    unique = list(dict.fromkeys(findings))
    order = sorted(range(len(unique)), key=lambda index: (rank_of(unique[index].cause), index))
    explained: dict[int, tuple[int, str]] = {}
    for index in reversed(order):
        for other in order:
            if other != index and _root(other, explained) != index:
                why = _explains(unique[other], unique[index], known)
                if why is not None:
                    explained[index] = (other, why)
                    break
    symptoms: dict[int, list[str]] = {}
    for index in order:
        if index in explained:
            finding, why = unique[index], explained[index][1]
            text = f"{finding.subject}: {finding.message}" + (f" ({why})" if why else "")
            symptoms.setdefault(_root(index, explained), []).append(text)
    return tuple(
        replace(finding, leads_to=(*finding.leads_to, *symptoms.get(index, ())))
        for index, finding in enumerate(unique)
        if index not in explained
    )


def _root(index: int, explained: Mapping[int, tuple[int, str]]) -> int:
    while index in explained:
        index = explained[index][0]
    return index


def _explains(cause: Finding, symptom: Finding, known: Relations) -> str | None:
    """Return why a finding explains another one, empty if both are about the same object; None if it does not."""
    if cause.cause in _WEAK:
        return None
    if cause.subject.kind == "Node":
        return _on_node(cause, symptom, known)
    if cause.cause == "DnsUnavailable":
        return "names do not resolve" if symptom.cause in {"NameNotResolved", "InitContainerStuck"} else None
    if symptom.cause in _WEBHOOKS and cause.subject.kind == "Service":
        host = f"{cause.subject.name}.{cause.subject.namespace}.svc"
        return "the API server calls it" if any(host in line for line in symptom.evidence) else None
    theirs, ours = known.workloads_of(cause.subject), known.workloads_of(symptom.subject)
    if theirs & ours:
        return "" if rank_of(cause.cause) <= rank_of(symptom.cause) else None
    if symptom.cause in _SYMPTOMS:
        for used in sorted(theirs):
            for user in sorted(ours):
                if way := known.path(user, used):
                    return f"its {way}" if not way.startswith("its ") else way
    return None


def _on_node(cause: Finding, symptom: Finding, known: Relations) -> str | None:
    ref = symptom.subject
    if symptom.cause not in _ON_NODE or ref.kind == "Node":
        return None
    nodes = {known.node_of.get((ref.namespace, ref.name), "")} if ref.kind == "Pod" else {
        known.node_of.get(pod, "") for pod, workload in known.of_pod.items() if workload in known.workloads_of(ref)
    }  # fmt: skip
    return f"runs on {cause.subject.name}" if cause.subject.name in nodes else None
