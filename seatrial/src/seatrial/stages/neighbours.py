"""What a namespace beside others gets: a quota, defaults for its containers, policies, and proof whether these hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seatrial.model.errors import SeatrialError
from seatrial.model.names import LABEL_ENVIRONMENT
from seatrial.model.spec import NamespaceSpec, RunnerSpec
from seatrial.ports import Object, StreamBroken
from seatrial.readiness.pod import is_ready
from seatrial.saved_state import read, write
from seatrial.stages.context import Ctx
from seatrial.stages.namespaces import allowed

__all__ = ["ENFORCED", "api_policy", "have", "objects_of", "verify"]

ENFORCED: Final = "seatrial.dev/policies"
"""Annotation of the namespace: enforced, ignored or unknown."""

_NAME: Final = "seatrial"
_PRIVATE: Final = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
"""Where clusters have their pods and Services; the rest is the world outside (RFC 1918, 6598, 3927)."""

_PRIVATE_6: Final = ("fc00::/7", "fe80::/10")
_DNS: Final = 53
"""The one port of the cluster's DNS pods that the policies open."""

_SECONDS: Final = 3
_PROBE: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
except OSError:
    print("blocked")
else:
    print("reached")
"""


def objects_of(name: str, spec: NamespaceSpec, environment: str, marks: Mapping[str, str]) -> list[Object]:
    """Return quota, limits and policies of a namespace. Pure.

    Args:
        name: the namespace.
        spec: what is configured.
        environment: whose namespaces may reach each other.
        marks: labels of ours.
    """
    meta = {"name": _NAME, "namespace": name, "labels": dict(marks)}
    ours: dict[str, Any] = {"namespaceSelector": {"matchLabels": {LABEL_ENVIRONMENT: environment}}}
    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    outside = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_PRIVATE)}},
        {"ipBlock": {"cidr": "::/0", "except": list(_PRIVATE_6)}},
    ]
    limits = {"type": "Container", "default": dict(spec.limits), "defaultRequest": dict(spec.requests)}
    found: list[Object] = [
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": [limits]}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": dict(spec.quota)}},
    ]
    if spec.isolated:
        policy = {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [ours]}],
            "egress": [{"to": [ours]}, {"to": [dns], "ports": ports}, {"to": outside}],
        }
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        found.append({**kind, "metadata": meta, "spec": policy})
    return found


def api_policy(runner: RunnerSpec, servers: Sequence[tuple[str, int]], marks: Mapping[str, str]) -> Object:
    """Return the policy that lets the runner reach the API server. Pure.

    Args:
        runner: the runner.
        servers: addresses and ports of the API server: of its Service and behind it.
        marks: labels of ours.
    """
    egress = [
        {
            "to": [{"ipBlock": {"cidr": f"{address}/{128 if ':' in address else 32}"}}],
            "ports": [{"port": port, "protocol": "TCP"}],
        }
        for address, port in servers
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"{_NAME}-api", "namespace": runner.namespace, "labels": dict(marks)},
        "spec": {"podSelector": {"matchLabels": {"app": runner.pod}}, "policyTypes": ["Egress"], "egress": egress},
    }


def have(ctx: Ctx, namespace: str) -> None:
    """Bring quota, limits and policies of a namespace to what is configured."""
    spec, runner = ctx.project.namespace, ctx.project.runner
    objects = objects_of(namespace, spec, ctx.session.namespace, ctx.session.labels)
    if spec.isolated and namespace == runner.namespace and runner.has_rights:
        objects.append(api_policy(runner, _api_servers(ctx), ctx.session.labels))
    for obj in objects:
        ctx.kube.apply(obj)


def _api_servers(ctx: Ctx) -> list[tuple[str, int]]:
    """Return addresses and ports of the API server, as pods know it; some networks look at those of its Service."""
    found: list[tuple[str, int]] = []
    service = ctx.kube.get("v1/Service", "kubernetes", "default") or {"spec": {}}
    for address in service["spec"].get("clusterIPs") or ():
        found += [(address, port["port"]) for port in service["spec"]["ports"]]
    selector = "kubernetes.io/service-name=kubernetes"
    for part in ctx.kube.objects("discovery.k8s.io/v1/EndpointSlice", "default", labels=selector):
        for endpoint in part["endpoints"]:
            found += [(address, port["port"]) for address in endpoint["addresses"] for port in part["ports"]]
    return found


def verify(ctx: Ctx) -> str:
    """Find out by real traffic whether the cluster enforces the policies, write it down, and say if it does not.

    The runner tries to reach a pod of another namespace that every cluster has: those of its DNS, on another port that
    they say they listen at. So a connection that is refused was refused by the network: some let silence answer, some a
    reset.

    Returns:
        enforced, ignored or unknown; empty: there are no policies of ours.
    """
    spec = ctx.project.runner
    if not ctx.project.namespace.isolated:
        return ""
    memory = ctx.env.directory / "policies.json"
    uid = (ctx.kube.get("v1/Pod", spec.pod, spec.namespace) or {"metadata": {}})["metadata"].get("uid", "")
    before = read(memory, dict[str, str])
    if before and before["runner"] == uid:
        return before["policies"]
    if allowed(ctx.kube.get("v1/Namespace", spec.namespace)):
        # A lent namespace gets no policies of ours, and no annotation either.
        write(memory, {"runner": uid, "policies": ""})
        return ""
    found = _tried(ctx)
    ctx.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {**_as_ours(ctx, spec.namespace), "annotations": {ENFORCED: found}},
        }
    )
    write(memory, {"runner": uid, "policies": found})
    if found == "ignored":
        ctx.warn(
            f"the cluster's network ignores NetworkPolicies: {ctx.session.namespace} and its neighbours can reach each"
            " other"
        )
    elif found == "unknown":
        ctx.warn("it cannot be told here whether the cluster enforces NetworkPolicies")
    return found


def _as_ours(ctx: Ctx, namespace: str) -> dict[str, Any]:
    """Return name and labels of a namespace as they are: applied without them, they would be taken away."""
    there = ctx.kube.get("v1/Namespace", namespace) or {"metadata": {}}
    marks = there["metadata"].get("labels") or {}
    return {"name": namespace, "labels": {key: value for key, value in marks.items() if not _given(key)}}


def _given(label: str) -> bool:
    return label == "kubernetes.io/metadata.name"


def _tried(ctx: Ctx) -> str:
    spec = ctx.project.runner
    try:
        pods = ctx.kube.objects("v1/Pod", "kube-system", labels="k8s-app=kube-dns")
        target = next((place for pod in pods if (place := _forbidden(pod))), None)
        if target is None:
            return "unknown"
        argv = ["python3", "-c", _PROBE, *target, str(_SECONDS)]
        done = ctx.kube.exec(spec.pod, spec.namespace).run(argv, container="tests", timeout=_SECONDS + 10)
    except (SeatrialError, StreamBroken):
        return "unknown"
    return {"reached": "ignored", "blocked": "enforced"}.get(done.stdout.decode(errors="replace").strip(), "unknown")


def _forbidden(pod: Object) -> tuple[str, str] | None:
    """Return address and port of a ready pod where something listens that the policies do not open. Pure."""
    address = (pod.get("status") or {}).get("podIP")
    if not address or not is_ready(pod):
        return None
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port["containerPort"] != _DNS and port.get("protocol", "TCP") == "TCP":
                return address, str(port["containerPort"])
    return None
