"""Find out why no node accepts a pod, and how much of which resource is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from seatrial.diagnose.rules.objects import containers_of, matches, pod_ref, short
from seatrial.model.finding import Finding
from seatrial.model.quantity import quantity
from seatrial.ports import Object

__all__ = ["explain_unscheduled", "rejected", "scheduling_cause", "unscheduled"]

_HINTS: Final = {
    "InsufficientResources": "decrease its requests, or add resources to the cluster: kubectl describe nodes",
    "UntoleratedTaint": "add a toleration to the pod, or remove the taint: kubectl describe nodes",
    "NodeSelector": "correct nodeSelector or affinity, or label a node: kubectl get nodes --show-labels",
    "HostPortTaken": "remove hostPort from the pod, or run one replica for each node",
    "PodAntiAffinity": "decrease replicas, or use preferredDuringSchedulingIgnoredDuringExecution",
    "ClaimNotFound": "create the PersistentVolumeClaim, or correct its name",
    "ClaimPending": "kubectl describe pvc says what the claim waits for",
}
_GIB: Final = Decimal(2**30)
_MIB: Final = Decimal(2**20)
_GATED: Final = "SchedulingGated"


def scheduling_cause(message: str) -> str:
    """Return why the scheduler found no node, from its message."""
    if "Insufficient" in message or "Too many pods" in message:
        return "InsufficientResources"
    if "free ports" in message:
        return "HostPortTaken"
    if "anti-affinity" in message:
        return "PodAntiAffinity"
    if "untolerated taint" in message or "were unschedulable" in message:
        return "UntoleratedTaint"
    if "didn't match" in message:
        return "NodeSelector"
    if "PersistentVolumeClaim" in message or "persistentvolumeclaim" in message:
        return "ClaimPending" if "unbound" in message else "ClaimNotFound"
    return "Unschedulable"


def unscheduled(pod: Object, condition: Object) -> Finding:
    """Return why a pod has no node, from its condition PodScheduled alone."""
    message = str(condition.get("message", ""))
    if condition.get("reason") == _GATED:
        gates = ", ".join(str(each["name"]) for each in pod["spec"].get("schedulingGates") or ())
        return Finding(
            cause=_GATED,
            subject=pod_ref(pod),
            message=f"it is not scheduled before its scheduling gates are removed: {gates}",
            evidence=(message,) if message else (),
            hint="install the controller that removes them, or remove schedulingGates from the pod template",
            brief="has a scheduling gate",
        )
    cause = scheduling_cause(message)
    return Finding(
        cause=cause,
        subject=pod_ref(pod),
        message=f"no node accepts it: {short(message)}",
        evidence=(message,),
        hint=_HINTS.get(cause, _HINTS["InsufficientResources"]),
        brief="found no node",
    )


def rejected(pod: Object, reason: str, message: str) -> Finding | None:
    """Return why a kubelet rejected a pod that was bound to its node; None for other reasons of a failed pod."""
    if not reason.startswith("OutOf"):
        return None
    node = pod["spec"].get("nodeName", "")
    return Finding(
        cause="InsufficientResources",
        subject=pod_ref(pod),
        message=f"node {node} rejected it for lack of {reason.removeprefix('OutOf')}: {short(message)}",
        evidence=(message,) if message else (),
        hint="remove nodeName, so that the scheduler finds a node, or decrease its requests",
        brief="does not fit its node",
    )


def explain_unscheduled(finding: Finding, pod: Object, nodes: Sequence[Object], pods: Iterable[Object]) -> Finding:
    """Return the finding about a pod without a node with what exactly is missing.

    Args:
        finding: result of `unscheduled`.
        pod: the pod.
        nodes: all nodes.
        pods: pods of all namespaces.
    """
    if not nodes or finding.cause in (_GATED, "ClaimPending", "ClaimNotFound"):
        return finding
    suitable = [node for node in nodes if _selected(pod["spec"], node)]
    if not suitable:
        wanted = ", ".join(_wanted(pod["spec"]))
        return _explained(finding, "NodeSelector", f"no node has the labels that it requires: {wanted}")
    tolerating = [node for node in suitable if not list(_untolerated(pod["spec"], node))]
    if not tolerating:
        return _explained(finding, "UntoleratedTaint", _taints(pod["spec"], suitable, len(nodes)))
    every = [each for each in pods if (each.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    if finding.cause == "InsufficientResources":
        return _explained(finding, finding.cause, _shortage(pod, tolerating, every) or finding.message)
    if finding.cause == "HostPortTaken":
        return _explained(finding, finding.cause, _port_holder(pod, tolerating, every) or finding.message)
    if finding.cause == "PodAntiAffinity":
        text = (
            f"its anti-affinity allows one pod for each node, and each of the {len(tolerating)} suitable nodes has one"
        )
        return _explained(finding, finding.cause, text)
    return finding


def _explained(finding: Finding, cause: str, message: str) -> Finding:
    return replace(finding, cause=cause, message=message, hint=_HINTS.get(cause, finding.hint))


def _selected(spec: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    terms = list(_terms(spec))
    return not terms or any(all(matches(each, labels) for each in term) for term in terms)


def _terms(spec: Object) -> Iterator[list[Object]]:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        yield list(term.get("matchExpressions") or ())


def _wanted(spec: Object) -> Iterator[str]:
    yield from (f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items())
    for term in _terms(spec):
        for each in term:
            yield f"{each['key']} {each['operator']} {', '.join(each.get('values') or ())}".rstrip()


def _untolerated(spec: Object, node: Object) -> Iterator[Object]:
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not any(
            _tolerates(each, taint) for each in spec.get("tolerations") or ()
        ):
            yield taint


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    same = toleration["key"] == taint["key"]
    return same and (toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""))


def _taints(spec: Object, nodes: Sequence[Object], of: int) -> str:
    found = {
        node["metadata"]["name"]: ", ".join(
            f"{each['key']}{'=' + each['value'] if each.get('value') else ''}:{each['effect']}"
            for each in _untolerated(spec, node)
        )
        for node in nodes
    }
    listed = "; ".join(f"{name} has {taints}" for name, taints in found.items())
    which = "every node" if len(nodes) == of else f"each node with the labels that it requires ({len(nodes)} of {of})"
    return f"{which} has a taint that it does not tolerate: {short(listed)}"


def _shortage(pod: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> str:
    """Return the resource of which even the best node has too little."""
    for resource, wanted in _requests(pod["spec"]).items():
        free = {node["metadata"]["name"]: _free(node, resource, pods) for node in nodes}
        best = max(free, key=lambda name: free[name][0])
        left, all_of_it = free[best]
        if not all_of_it:
            return f"it requests {_amount(resource, wanted)}, and no node offers {resource}"
        if left < wanted:
            return (
                f"it requests {_amount(resource, wanted)}; the largest free amount is {_number(resource, left)} of"
                f" {_number(resource, all_of_it)} on node {best}: {_number(resource, wanted - left)} are missing"
            )
    return ""


def _free(node: Object, resource: str, pods: Sequence[Object]) -> tuple[Decimal, Decimal]:
    """Return how much of a resource pods have not requested yet, and how much a node offers."""
    offered = quantity(((node.get("status") or {}).get("allocatable") or {}).get(resource, 0)) or Decimal(0)
    here = (each for each in pods if (each.get("spec") or {}).get("nodeName") == node["metadata"]["name"])
    taken = sum((_requests(each["spec"]).get(resource, Decimal(0)) for each in here), Decimal(0))
    return offered - taken, offered


def _requests(spec: Object) -> dict[str, Decimal]:
    """Return what the containers of a pod request together; init containers that request more count instead."""
    found: dict[str, Decimal] = {}
    for container in spec.get("containers") or ():
        for resource, amount in _of(container):
            found[resource] = found.get(resource, Decimal(0)) + amount
    for container in containers_of({"initContainers": spec.get("initContainers")}):
        for resource, amount in _of(container):
            found[resource] = max(found.get(resource, Decimal(0)), amount)
    return found


def _of(container: Object) -> Iterator[tuple[str, Decimal]]:
    resources = container.get("resources") or {}
    for resource, amount in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
        yield resource, quantity(amount) or Decimal(0)


def _amount(resource: str, value: Decimal) -> str:
    if _is_bytes(resource):
        return f"{_number(resource, value)} of {resource}"
    return f"{_number(resource, value)} {'CPUs' if resource == 'cpu' else resource}"


def _number(resource: str, value: Decimal) -> str:
    if not _is_bytes(resource):
        return f"{value.normalize():f}"
    return f"{value / _GIB:.1f} GiB" if abs(value) >= _GIB else f"{value / _MIB:.0f} MiB"


def _is_bytes(resource: str) -> bool:
    return resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages-")


def _port_holder(pod: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> str:
    names = {node["metadata"]["name"] for node in nodes}
    wanted = set(_host_ports(pod))
    for other in pods:
        taken = wanted & set(_host_ports(other)) if other["spec"].get("nodeName") in names else set()
        if taken:
            node, name = other["spec"]["nodeName"], other["metadata"]["name"]
            return f"its host port {min(taken)} is taken on every suitable node, on {node} by pod {name}"
    return ""


def _host_ports(pod: Object) -> Iterator[int]:
    for container in containers_of(pod["spec"]):
        yield from (int(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort"))
