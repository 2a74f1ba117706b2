"""Limit a namespace in a shared cluster: apply quota, defaults and network policies, and test their enforcement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seatrial.diagnose.rules.objects import is_ready
from seatrial.model.errors import SeatrialError
from seatrial.model.names import LABEL_ENVIRONMENT
from seatrial.model.spec import NamespaceSpec, RunnerSpec
from seatrial.namespaces.ownership import is_use_allowed
from seatrial.ports import Kube, Object, StreamBroken, Warn
from seatrial.saved_state import read, write

__all__ = ["ENFORCED", "api_policy", "apply_guardrails", "guardrail_objects", "verify_policies"]

ENFORCED: Final = "seatrial.dev/policies"
"""Annotation of a namespace: whether its network policies are enforced, ignored or unknown."""

_NAME: Final = "seatrial"
_PRIVATE: Final = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
"""Address ranges of pods and Services; all other addresses are outside the cluster (RFC 1918, 6598, 3927)."""

_PRIVATE_6: Final = ("fc00::/7", "fe80::/10")
_DNS: Final = 53
"""The only port of DNS pods that the policies allow."""

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


def guardrail_objects(namespace: str, spec: NamespaceSpec, environment: str, labels: Mapping[str, str]) -> list[Object]:
    """Return quota, container defaults and, if it is isolated, the network policy of a namespace. Pure.

    Args:
        namespace: the namespace.
        spec: the configured limits.
        environment: name of the environment whose namespaces may connect to each other.
        labels: labels of the objects.
    """
    meta = {"name": _NAME, "namespace": namespace, "labels": dict(labels)}
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


def api_policy(runner: RunnerSpec, servers: Sequence[tuple[str, int]], labels: Mapping[str, str]) -> Object:
    """Return the network policy that allows the runner to connect to the API server. Pure.

    Args:
        runner: the runner.
        servers: addresses and ports of the API server and of its Service.
        labels: labels of the policy.
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
        "metadata": {"name": f"{_NAME}-api", "namespace": runner.namespace, "labels": dict(labels)},
        "spec": {"podSelector": {"matchLabels": {"app": runner.pod}}, "policyTypes": ["Egress"], "egress": egress},
    }


def apply_guardrails(
    kube: Kube, namespace: str, spec: NamespaceSpec, runner: RunnerSpec, *, environment: str, labels: Mapping[str, str]
) -> None:
    """Apply quota, limits and network policies to a namespace.

    Args:
        kube: the cluster's API.
        namespace: the namespace.
        spec: the configured limits.
        runner: the runner; if it has rights in the cluster, it may connect to the API server.
        environment: name of the environment whose namespaces may connect to each other.
        labels: labels of the objects.
    """
    objects = guardrail_objects(namespace, spec, environment, labels)
    if spec.isolated and namespace == runner.namespace and runner.has_rights:
        objects.append(api_policy(runner, _api_servers(kube), labels))
    for obj in objects:
        kube.apply(obj)


def _api_servers(kube: Kube) -> list[tuple[str, int]]:
    """Return addresses and ports of the API server and of its Service: some networks check only one of these."""
    found: list[tuple[str, int]] = []
    service = kube.get("v1/Service", "kubernetes", "default") or {"spec": {}}
    for address in service["spec"].get("clusterIPs") or ():
        found += [(address, port["port"]) for port in service["spec"]["ports"]]
    selector = "kubernetes.io/service-name=kubernetes"
    for part in kube.objects("discovery.k8s.io/v1/EndpointSlice", "default", labels=selector):
        for endpoint in part["endpoints"]:
            found += [(address, port["port"]) for address in endpoint["addresses"] for port in part["ports"]]
    return found


def verify_policies(kube: Kube, runner: RunnerSpec, environment: str, *, state_file: Path, warn: Warn) -> str:
    """Test by a connection whether the cluster enforces NetworkPolicies. Annotate the namespace with the result.

    The runner connects to a DNS pod in kube-system, at a port that the pod listens on and that the policies block. Then
    a refused connection was refused by the network: some networks drop packets, others send a reset.

    Args:
        kube: the cluster's API.
        runner: the runner.
        environment: name of the environment, for warnings.
        state_file: keeps the result, as it is the same for the same runner pod.
        warn: takes a warning if the policies are ignored or the result is unknown.

    Returns:
        enforced, ignored or unknown; empty if the namespace belongs to another owner and so has no policies.
    """
    uid = (kube.get("v1/Pod", runner.pod, runner.namespace) or {"metadata": {}})["metadata"].get("uid", "")
    before = read(state_file, dict[str, str])
    if before and before["runner"] == uid:
        return before["policies"]
    if is_use_allowed(kube.get("v1/Namespace", runner.namespace)):
        write(state_file, {"runner": uid, "policies": ""})
        return ""
    found = _try_connection(kube, runner)
    meta = {**_name_and_labels(kube, runner.namespace), "annotations": {ENFORCED: found}}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    write(state_file, {"runner": uid, "policies": found})
    if found == "ignored":
        warn(
            f"the cluster's network ignores NetworkPolicies: environment {environment} and others in the cluster"
            " can connect to each other"
        )
    elif found == "unknown":
        warn("could not determine whether the cluster enforces NetworkPolicies")
    return found


def _name_and_labels(kube: Kube, namespace: str) -> dict[str, Any]:
    """Return name and labels of a namespace: an apply without the labels would remove them."""
    existing = kube.get("v1/Namespace", namespace) or {"metadata": {}}
    labels = existing["metadata"].get("labels") or {}
    own = {key: value for key, value in labels.items() if key != "kubernetes.io/metadata.name"}
    return {"name": namespace, "labels": own}


def _try_connection(kube: Kube, runner: RunnerSpec) -> str:
    try:
        pods = kube.objects("v1/Pod", "kube-system", labels="k8s-app=kube-dns")
        target = next((place for pod in pods if (place := _blocked_port(pod))), None)
        if target is None:
            return "unknown"
        argv = ["python3", "-c", _PROBE, *target, str(_SECONDS)]
        done = kube.exec(runner.pod, runner.namespace).run(argv, container="tests", timeout=_SECONDS + 10)
    except (SeatrialError, StreamBroken):
        return "unknown"
    return {"reached": "ignored", "blocked": "enforced"}.get(done.stdout.decode(errors="replace").strip(), "unknown")


def _blocked_port(pod: Object) -> tuple[str, str] | None:
    """Return address and port where a ready pod listens although the policies block it; None if no pod does. Pure."""
    address = (pod.get("status") or {}).get("podIP")
    if not address or not is_ready(pod):
        return None
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port["containerPort"] != _DNS and port.get("protocol", "TCP") == "TCP":
                return address, str(port["containerPort"])
    return None
