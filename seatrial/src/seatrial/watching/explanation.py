"""Complete findings with what more requests show, and keep those that no other finding explains.

Judging a pod again at each change must be cheap. So nodes, claims, logs, Services and ConfigMaps are read only here,
once there are findings to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seatrial.diagnose.catalog import ranked
from seatrial.diagnose.rules.dependencies import Relations, Workload, causes_only, relations
from seatrial.diagnose.rules.names import explain_unresolved
from seatrial.diagnose.rules.objects import event_time
from seatrial.diagnose.rules.scheduling import explain_unscheduled
from seatrial.diagnose.rules.volumes import claim_pending, claims_of
from seatrial.model.errors import SeatrialError
from seatrial.model.finding import Finding
from seatrial.ports import Kube, Object
from seatrial.readiness.snapshot import Snapshot, controller_of
from seatrial.readiness.workload import WORKLOADS
from seatrial.watching.log_evidence import with_log_lines

__all__ = ["explained"]

_UNSCHEDULED: Final = frozenset(
    ("InsufficientResources", "UntoleratedTaint", "NodeSelector", "HostPortTaken", "PodAntiAffinity", "Unschedulable")
)


def explained(kube: Kube, snapshot: Snapshot, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the causes among findings, the likeliest first, each with its details, log lines and symptoms.

    Args:
        kube: the cluster's API.
        snapshot: pods, Warning events and workloads of the namespaces.
        findings: all findings.
    """
    cluster = _Cluster(kube)
    complete = ranked(_detailed(cluster, snapshot, each) for each in findings)
    return causes_only(complete, cluster.relations(snapshot, complete)) if len(complete) > 1 else complete


def _detailed(cluster: _Cluster, snapshot: Snapshot, finding: Finding) -> Finding:
    ref = finding.subject
    pod = snapshot.get("v1/Pod", ref.namespace, ref.name) if ref.kind == "Pod" else None
    if pod is not None and finding.cause in _UNSCHEDULED:
        return explain_unscheduled(finding, pod, cluster.objects("v1/Node"), cluster.objects("v1/Pod"))
    if pod is not None and finding.cause == "ClaimPending":
        return _claim(cluster, pod) or finding
    logged = with_log_lines(cluster.kube, snapshot, finding)
    if pod is not None and logged.cause == "NameNotResolved":
        services, config_maps = (cluster.objects(kind, ref.namespace) for kind in ("v1/Service", "v1/ConfigMap"))
        return explain_unresolved(logged, pod, services, config_maps)
    return logged


def _claim(cluster: _Cluster, pod: Object) -> Finding | None:
    """Return why a claim of a pod has no volume."""
    namespace = pod["metadata"].get("namespace", "")
    for name in claims_of(pod):
        claim = cluster.kube.get("v1/PersistentVolumeClaim", name, namespace)
        about = (
            event
            for event in cluster.objects("v1/Event", namespace)
            if claim and (event.get("involvedObject") or {}).get("uid") == claim["metadata"].get("uid")
        )
        if claim and (found := claim_pending(claim, sorted(about, key=event_time))):
            return found
    return None


class _Cluster:
    """Lists of objects, each requested once."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._lists: dict[tuple[str, str], list[Object]] = {}

    def objects(self, kind: str, namespace: str = "") -> list[Object]:
        """Return the objects of a kind; none if this user may not list them."""
        if (kind, namespace) not in self._lists:
            try:
                self._lists[kind, namespace] = self.kube.objects(kind, namespace)
            except SeatrialError:
                self._lists[kind, namespace] = []
        return self._lists[kind, namespace]

    def relations(self, snapshot: Snapshot, findings: Sequence[Finding]) -> Relations:
        """Return what belongs together in the namespaces of the findings."""
        places = dict.fromkeys(each.subject.namespace for each in findings if each.subject.namespace)
        pods = {
            (pod["metadata"].get("namespace", ""), pod["metadata"]["name"]): (pod, _workload_of(pod))
            for pod in snapshot.all("v1/Pod")
        }
        workloads = [
            obj
            for kind, api in WORKLOADS.items()
            for obj in snapshot.all(api)
            if kind != "Pod" or controller_of(obj) == ("", "")
        ]
        services, config_maps = (
            [obj for place in places for obj in self.objects(kind, place)] for kind in ("v1/Service", "v1/ConfigMap")
        )
        return relations(workloads, pods, services, config_maps)


def _workload_of(pod: Object) -> Workload:
    kind, name = controller_of(pod)
    return pod["metadata"].get("namespace", ""), kind or "Pod", name or pod["metadata"]["name"]
