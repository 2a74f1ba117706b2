"""Watch workloads until all are ready, or until one of them cannot become ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final, Self

from msgspec.structs import replace

from seatrial.diagnose.rules.objects import is_ready, pod_ref
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady
from seatrial.model.event import FindingMade, KubernetesEvent, Note, PodSeen, ServiceSeen
from seatrial.model.finding import Finding, ObjectRef
from seatrial.ports import Change, Emit, Kube, Object
from seatrial.readiness.grace import GracePeriods
from seatrial.readiness.judgment import Judgment
from seatrial.readiness.pod import judge_pod
from seatrial.readiness.workload import WORKLOADS, judge_workload
from seatrial.watching.explanation import explained
from seatrial.watching.log_evidence import not_ready_error
from seatrial.watching.watch_set import WatchSet, list_snapshot

__all__ = ["Target", "WorkloadMonitor", "all_ready_now", "targets_of"]

_KINDS: Final = ("v1/Pod", "v1/Event", "apps/v1/ReplicaSet", *(kind for kind in WORKLOADS.values() if kind != "v1/Pod"))
_INTERVAL: Final = 1.0
"""Seconds after which `poll` returns if nothing changes."""

Target = tuple[str, str, str]
"""Kind, namespace and name of a workload."""


def targets_of(objects: Iterable[Object], namespace: str) -> list[Target]:
    """Return the workloads among objects that must become ready. Helm waits for its hooks itself."""
    return [
        (obj["kind"], obj["metadata"].get("namespace") or namespace, obj["metadata"]["name"])
        for obj in objects
        if obj["kind"] in WORKLOADS and "helm.sh/hook" not in (obj["metadata"].get("annotations") or {})
    ]


def all_ready_now(kube: Kube, targets: Iterable[Target], emit: Emit) -> bool:
    """Return whether all workloads are ready, by a few list requests instead of as many watches; report them if so."""
    wanted = list(targets)
    kinds = dict.fromkeys(("v1/Pod", *(WORKLOADS[kind] for kind, _, _ in wanted)))
    snapshot = list_snapshot(kube, kinds, dict.fromkeys(namespace for _, namespace, _ in wanted))
    if any(judge_workload(*target, snapshot).state != "ready" for target in wanted):
        return False
    for _, _, name in wanted:
        emit(ServiceSeen(name=name, ready=True))
    return True


class WorkloadMonitor:
    """Judge workloads whenever something changes, and emit what it sees. Use it in a `with` block.

    Args:
        kube: the cluster's API.
        targets: workloads that must become ready.
        others: workloads that must not fail and need not become ready: hook Jobs.
        emit: takes the events.
        canceled: ends `wait` when it is set.
    """

    def __init__(
        self,
        kube: Kube,
        targets: Iterable[Target],
        others: Iterable[Target] = (),
        *,
        emit: Emit,
        canceled: threading.Event,
    ) -> None:
        self._kube = kube
        self._emit = emit
        self._canceled = canceled
        self._targets = list(targets)
        self._others = list(others)
        namespaces = dict.fromkeys(namespace for _, namespace, _ in (*self._targets, *self._others))
        self._watches = WatchSet(kube, _KINDS, namespaces)
        self._grace = GracePeriods()
        self._judgments: dict[Target, Judgment] = {}
        """The last judgment on each workload: it is judged again when an object that concerns it changes."""

        self._reported: dict[object, object] = {}
        self._deleted: set[object] = set()
        self._due: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watches.close()

    def wait(self, deadline: Deadline) -> None:
        """Poll until all targets are ready.

        Raises:
            NotReady: a target cannot become ready, was not ready at the deadline, or the run was canceled.
        """
        seconds = deadline.left
        # The first poll takes what the watches list; it has no reason to wait.
        while missing := self.poll():
            if self._canceled.is_set():
                raise NotReady("waiting was cut short", ())
            if deadline.passed:
                raise self._timed_out(missing, seconds)

    def poll(self, seconds: float = _INTERVAL) -> list[tuple[Target, Judgment]]:
        """Wait for a change, the end of a grace period or `seconds`, and return the targets that are not ready.

        Raises:
            NotReady: a target cannot become ready.
        """
        now = time.monotonic()
        changes = self._watches.wait(min(seconds, max(0.0, self._due - now)) if self._due else seconds)
        while not self._watches.synced:
            changes += self._watches.wait(_INTERVAL)
        self._report(changes)
        judged = self._judge()
        suspicions = [each for judgment in self._judgments.values() for each in judgment.suspicions]
        fatal, self._due = self._grace.update(suspicions, time.monotonic())
        if fatal:
            raise self._failed(fatal, [each.finding for each in suspicions])
        for target in judged:
            judgment = self._judgments[target]
            if judgment.state != "ready":
                self._unblock(target)
            self._emit_news(
                target, ServiceSeen(name=target[2], ready=judgment.state == "ready", waits_for=judgment.reason)
            )
        judgments = ((target, self._judgments[target]) for target in self._targets)
        return [(target, judgment) for target, judgment in judgments if judgment.state != "ready"]

    def _judge(self) -> list[Target]:
        """Judge the workloads that changes concern; return those of them that must become ready."""
        concerned = self._watches.concerned()
        for target in (*self._targets, *self._others):
            if target in concerned or target not in self._judgments:
                self._judgments[target] = judge_workload(*target, self._watches.snapshot)
                concerned.add(target)
        return [target for target in self._targets if target in concerned]

    def _unblock(self, target: Target) -> None:
        """Delete the pod that blocks a StatefulSet: it does not replace an older pod that is not ready.

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
            text = f"pod {pod_name} has an older template and is not ready; recreating"
            self._emit(Note(level="warning", text=text))
            self._kube.delete("v1/Pod", pod_name, namespace)

    def _timed_out(self, missing: list[tuple[Target, Judgment]], seconds: float) -> NotReady:
        findings = []
        for (kind, namespace, name), judgment in missing:
            ref = ObjectRef(kind=kind, name=name, namespace=namespace)
            findings += [each.finding for each in judgment.suspicions] or [
                Finding(cause="NotReadyInTime", subject=ref, message=f"{ref} still waits for {judgment.reason}")
            ]
        names = ", ".join(name for (_, _, name), _ in missing)
        causes = explained(self._kube, self._watches.snapshot, findings)
        return NotReady(f"{names} not ready within {seconds:.0f} s", causes)

    def _failed(self, fatal: tuple[Finding, ...], suspected: list[Finding]) -> NotReady:
        """Return the error for fatal findings, or for what explains them even if it is not fatal by itself."""
        known = {(each.cause, each.subject) for each in fatal}
        others = [each for each in suspected if (each.cause, each.subject) not in known]
        causes = explained(self._kube, self._watches.snapshot, [*fatal, *others])
        findings = [replace(each, fatal=True) for each in causes if each.fatal or each.leads_to]
        for finding in findings:
            self._emit(FindingMade(finding=finding))
        return not_ready_error(findings)

    def _report(self, changes: list[Change]) -> None:
        for change in changes:
            for obj in change.objects:
                if change.type in ("added", "modified") and obj.get("kind") == "Event":
                    self._report_event(obj)
                elif obj.get("kind") == "Pod" and change.type != "deleted":
                    self._report_pod(obj)

    def _report_event(self, obj: Object) -> None:
        about = obj.get("involvedObject") or {}
        ref = ObjectRef(kind=about.get("kind", ""), name=about.get("name", ""), namespace=about.get("namespace", ""))
        self._emit(
            KubernetesEvent(
                subject=ref,
                type=obj.get("type", "Normal"),
                reason=obj.get("reason", ""),
                message=obj.get("message", ""),
            )
        )

    def _report_pod(self, pod: Object) -> None:
        status = pod.get("status") or {}
        containers = status.get("containerStatuses") or ()
        reasons = [
            each["state"]["waiting"].get("reason", "")
            for each in containers
            if (each.get("state") or {}).get("waiting")
        ]
        self._emit_news(
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

    def _emit_news(self, key: object, body: ServiceSeen | PodSeen) -> None:
        """Emit a body unless it equals the last one with its key."""
        if self._reported.get(key) != body:
            self._reported[key] = body
            self._emit(body)
