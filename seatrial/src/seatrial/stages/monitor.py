"""Watches over what charts made until it is all ready, or until waiting longer is pointless."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from seatrial.model.errors import NotReady
from seatrial.model.event import FindingMade, KubernetesEvent, PodSeen, ServiceSeen
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Change, Object
from seatrial.readiness.patience import Patience
from seatrial.readiness.pod import is_ready, judge_pod, pod_ref
from seatrial.readiness.snapshot import Snapshot
from seatrial.readiness.verdict import Suspicion, Verdict
from seatrial.readiness.workload import WORKLOADS, judge_workload
from seatrial.stages.context import Ctx
from seatrial.stages.evidence import evident, hopeless
from seatrial.stages.watching import WatchSet

__all__ = ["KINDS", "Monitor", "Target", "glance", "targets_of"]

KINDS: Final = ("v1/Pod", "v1/Event", "apps/v1/ReplicaSet", *(kind for kind in WORKLOADS.values() if kind != "v1/Pod"))
_LONGEST: Final = 1.0
"""Seconds between two looks at the clock while nothing happens."""

Target = tuple[str, str, str]
"""kind, namespace, name of a workload"""


def targets_of(objects: Iterable[Object], namespace: str) -> list[Target]:
    """Return the workloads among objects that must become ready; hooks are Helm's business."""
    return [
        (obj["kind"], obj["metadata"].get("namespace") or namespace, obj["metadata"]["name"])
        for obj in objects
        if obj["kind"] in WORKLOADS and "helm.sh/hook" not in (obj["metadata"].get("annotations") or {})
    ]


def glance(ctx: Ctx, targets: Iterable[Target]) -> bool:
    """Say whether all is ready already: a few lists instead of as many watches."""
    snapshot = Snapshot()
    wanted = list(targets)
    kinds = dict.fromkeys(("v1/Pod", *(WORKLOADS[kind] for kind, _, _ in wanted)))
    for namespace in dict.fromkeys(namespace for _, namespace, _ in wanted):
        for kind in kinds:
            found = tuple(ctx.kube.objects(kind, namespace))
            snapshot.take(kind, namespace, Change(type="synced", objects=found))
    if any(judge_workload(*target, snapshot).state != "ready" for target in wanted):
        return False
    for _, _, name in wanted:
        ctx.emit(ServiceSeen(name=name, ready=True))
    return True


class Monitor:
    """Judges workloads whenever something changes, and tells what it sees.

    Args:
        targets: what must become ready.
        others: workloads whose doom counts too, although nobody waits for them to be ready: hook Jobs.
    """

    def __init__(self, ctx: Ctx, targets: Iterable[Target], others: Iterable[Target] = ()) -> None:
        self._ctx = ctx
        self._targets = list(targets)
        self._others = list(others)
        namespaces = dict.fromkeys(namespace for _, namespace, _ in (*self._targets, *self._others))
        self._watches = WatchSet(ctx.kube, KINDS, namespaces)
        self._patience = Patience()
        self._told: dict[object, object] = {}
        self._deleted: set[object] = set()
        self._due: float | None = None
        self._since = ctx.env.clock.now()

    def close(self) -> None:
        """Stop watching."""
        self._watches.close()

    def _unstick(self, target: Target) -> None:
        """Delete what a StatefulSet waits for in vain: it does not replace an older pod that is not ready.

        https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
        """
        kind, namespace, name = target
        workload = self._watches.snapshot.get(WORKLOADS[kind], namespace, name)
        if kind != "StatefulSet" or workload is None:
            return
        status = workload.get("status") or {}
        if int(status.get("observedGeneration") or 0) < int(workload["metadata"].get("generation") or 0):
            return
        current = [pod["metadata"]["name"] for pod in self._watches.snapshot.current_pods_of(workload)]
        for pod in self._watches.snapshot.pods_of(workload):
            uid, pod_name = pod["metadata"].get("uid"), pod["metadata"]["name"]
            if pod_name in current or uid in self._deleted or judge_pod(pod, []).state == "ready":
                continue
            self._deleted.add(uid)
            self._ctx.warn(f"pod {pod_name} is of an older template and not ready: it is made anew")
            self._ctx.kube.delete("v1/Pod", pod_name, namespace)

    def look(self, patience: float = _LONGEST) -> list[tuple[Target, Verdict]]:
        """Wait for a change, a grace that ends, or `patience` seconds, and return what is not ready then.

        Raises:
            NotReady: something will not become ready.
        """
        now = time.monotonic()
        wait = min(patience, max(0.0, self._due - now)) if self._due else patience
        changes = self._watches.wait(wait)
        while not self._watches.synced:
            changes += self._watches.wait(_LONGEST)
        self._tell(changes)
        verdicts = [(target, judge_workload(*target, self._watches.snapshot)) for target in self._targets]
        suspicions = [each for _, verdict in verdicts for each in verdict.suspicions]
        for target in self._others:
            suspicions += judge_workload(*target, self._watches.snapshot).suspicions
        fatal, self._due = self._patience.look(suspicions, time.monotonic())
        if fatal:
            raise self._not_ready(fatal, suspicions)
        for target, verdict in verdicts:
            if verdict.state != "ready":
                self._unstick(target)
            self._once(target, ServiceSeen(name=target[2], ready=verdict.state == "ready", waits_for=verdict.reason))
        return [(target, verdict) for target, verdict in verdicts if verdict.state != "ready"]

    def wait(self, seconds: float) -> None:
        """Look until all is ready.

        Raises:
            NotReady: something will not become ready, or `seconds` were not enough.
        """
        until = time.monotonic() + seconds
        # The first look takes what the watches list; it has no reason to wait.
        while missing := self.look():
            if self._ctx.cancelled.is_set():
                raise NotReady("waiting was cut short", ())
            if time.monotonic() > until:
                raise self._too_long(missing, seconds)

    def _too_long(self, missing: list[tuple[Target, Verdict]], seconds: float) -> NotReady:
        findings = []
        for (kind, namespace, name), verdict in missing:
            ref = ObjectRef(kind=kind, name=name, namespace=namespace)
            findings += [self._evident(each.finding) for each in verdict.suspicions] or [
                Finding(cause="NotReadyInTime", subject=ref, message=f"{ref} still waits for {verdict.reason}")
            ]
        names = ", ".join(name for (_, _, name), _ in missing)
        return NotReady(f"{names} not ready within {seconds:.0f} s", findings)

    def _not_ready(self, fatal: tuple[Finding, ...], suspicions: list[Suspicion]) -> NotReady:
        del suspicions
        findings = [self._evident(finding) for finding in fatal]
        for finding in findings:
            self._ctx.emit(FindingMade(finding=finding))
        return hopeless(findings)

    def _evident(self, finding: Finding) -> Finding:
        return evident(self._ctx.kube, self._watches.snapshot, finding)

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            for obj in change.objects:
                # What a list carries says its kind; what a watch carries does too.
                if change.type in ("added", "modified") and obj.get("kind") == "Event":
                    self._tell_event(obj)
                elif obj.get("kind") == "Pod" and change.type != "deleted":
                    self._tell_pod(obj)

    def _tell_event(self, obj: Object) -> None:
        about = obj.get("involvedObject") or {}
        ref = ObjectRef(kind=about.get("kind", ""), name=about.get("name", ""), namespace=about.get("namespace", ""))
        self._ctx.emit(
            KubernetesEvent(
                subject=ref,
                type=obj.get("type", "Normal"),
                reason=obj.get("reason", ""),
                message=obj.get("message", ""),
            )
        )

    def _tell_pod(self, pod: Object) -> None:
        status = pod.get("status") or {}
        containers = status.get("containerStatuses") or ()
        reasons = [
            each["state"]["waiting"].get("reason", "")
            for each in containers
            if (each.get("state") or {}).get("waiting")
        ]
        self._once(
            ("pod", pod["metadata"]["uid"]),
            PodSeen(
                pod=pod_ref(pod),
                node=pod["spec"].get("nodeName", ""),
                phase=status.get("phase", ""),
                ready=is_ready(pod),
                restarts=sum(int(each.get("restartCount") or 0) for each in containers),
                reason=reasons[0] if reasons else "",
            ),
        )

    def _once(self, key: object, body: ServiceSeen | PodSeen) -> None:
        """Tell what is news."""
        if self._told.get(key) != body:
            self._told[key] = body
            self._ctx.emit(body)
