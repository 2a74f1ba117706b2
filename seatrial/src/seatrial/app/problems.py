"""Find problems in an environment for `seatrial diagnose`, with evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seatrial.diagnose.rules.cpu import throttled
from seatrial.diagnose.rules.ends import restarted
from seatrial.diagnose.rules.nodes import disrupted, troubled_nodes
from seatrial.diagnose.rules.objects import container_spec, event_time
from seatrial.diagnose.rules.releases import locked_releases
from seatrial.diagnose.rules.services import service_problems
from seatrial.diagnose.rules.volumes import claim_pending
from seatrial.model.finding import Finding
from seatrial.model.spec import Project
from seatrial.ports import Kube
from seatrial.readiness.snapshot import Snapshot
from seatrial.readiness.workload import WORKLOADS, judge_workload
from seatrial.runner_pod.inspection import cpu_statistics, inspect_network
from seatrial.watching.explanation import explained
from seatrial.watching.watch_set import list_snapshot

__all__ = ["find_problems"]

_CLAIM: Final = "v1/PersistentVolumeClaim"


def find_problems(kube: Kube, project: Project) -> tuple[Finding, ...]:
    """Return the causes of what does not work, the likeliest first, each with log lines and with its symptoms."""
    places = project.used_namespaces
    kinds = ("v1/Pod", "v1/Event", "apps/v1/ReplicaSet", _CLAIM, *WORKLOADS.values())
    seen = list_snapshot(kube, dict.fromkeys(kinds), places)
    secrets = [each for place in places for each in kube.objects("v1/Secret", place, labels="owner=helm")]
    found = [
        *troubled_nodes(kube.objects("v1/Node")),
        *locked_releases(secrets),
        *_unready(seen),
        *_claims(seen),
        *service_problems(inspect_network(kube, project.runner, places)),
    ]
    known = {each.subject for each in found}
    running = [each for each in _running(kube, seen) if each.subject not in known]
    return explained(kube, seen, [*found, *running])


def _unready(seen: Snapshot) -> Iterator[Finding]:
    """Yield what is wrong with workloads and pods that are to be ready."""
    for kind, api in WORKLOADS.items():
        for obj in seen.all(api):
            meta = obj["metadata"]
            if meta.get("deletionTimestamp"):
                yield from filter(None, (disrupted(obj),)) if kind == "Pod" else ()
                continue
            judged = judge_workload(kind, meta["namespace"], meta["name"], seen)
            yield from (each.finding for each in judged.suspicions)


def _claims(seen: Snapshot) -> Iterator[Finding]:
    """Yield PersistentVolumeClaims without a volume."""
    events = seen.all("v1/Event")
    for claim in seen.all(_CLAIM):
        uid = claim["metadata"].get("uid")
        about = (each for each in events if (each.get("involvedObject") or {}).get("uid") == uid)
        if finding := claim_pending(claim, sorted(about, key=event_time)):
            yield finding


def _running(kube: Kube, seen: Snapshot) -> Iterator[Finding]:
    """Yield containers that run and were restarted, or that their CPU limit slows down."""
    for pod in seen.all("v1/Pod"):
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            if "running" not in (status.get("state") or {}):
                continue
            if finding := restarted(pod, status, seen.warnings_about(pod)):
                yield finding
            limits = (container_spec(pod, status["name"]).get("resources") or {}).get("limits") or {}
            if limits.get("cpu") and (
                slow := throttled(pod, status["name"], cpu_statistics(kube, pod, status["name"]))
            ):
                yield slow
