"""Find containers that ended, could not start, or stopped being ready. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from seatrial.diagnose.incidents.incident import Incident
from seatrial.diagnose.rules.objects import short
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.timeline import ContainerRecord, EventRecord, PodRecord, Termination
from seatrial.model.timeline_index import Key, TimelineIndex

__all__ = ["container_incidents"]

_PROBE_LEAD: Final = timedelta(seconds=90)
"""A failed probe this long before the end of a container explains it: 3 failures in intervals of up to 30 s."""

_SIGKILL: Final = 137
_AFTER_SIGNAL: Final = (0, 130, _SIGKILL, 143)
"""Exit codes of a container that the kubelet ended by SIGTERM or SIGKILL. A program may exit with 0 on SIGTERM."""

_WAITING: Final = {
    "CreateContainerConfigError": "CreateContainerConfigError",
    "CreateContainerError": "CreateContainerError",
    "RunContainerError": "RunContainerError",
    "PostStartHookError": "PostStartHookError",
    "ErrImagePull": "ImagePull",
    "ImagePullBackOff": "ImagePull",
    "ErrImageNeverPull": "ErrImageNeverPull",
    "InvalidImageName": "InvalidImageName",
    "RegistryUnavailable": "RegistryUnreachable",
}
"""Reasons of waiting containers that cannot start, with their causes."""

_EVICTION_TIME: Final = timedelta(seconds=10)
"""The kubelet ends the containers of a pod this long before it says that it evicts the pod, at most."""

_INIT_TIME: Final = timedelta(seconds=10)


def container_incidents(index: TimelineIndex) -> list[Incident]:
    """Return what happened to containers; not what the deletion of their pods explains."""
    events = index.of(EventRecord)
    ready_pods = [pod for pod in index.of(PodRecord) if pod.ready]
    found: list[Incident] = []
    for key in index.keys():  # noqa: SIM118 - not a dict
        if key.kind != "Container":
            continue
        records = [each for each in index.history(key) if isinstance(each, ContainerRecord)]
        pods = [each for each in index.history(Key("Pod", key.uid)) if isinstance(each, PodRecord)]
        about = [each for each in events if each.regarding.uid == key.uid]
        deletion = _deletion(pods)
        its = [
            *_ended(records, about, deletion),
            *_waiting(records),
            *_unready(records, about, deletion),
            *_throttled(records),
            *_stuck_init(records),
        ]
        gone = next((pod.at for pod in pods if pod.seen == "deleted"), None)
        if pods and pods[0].seen == "listed" and pods[0].phase in ("Succeeded", "Failed"):
            # It was over before the recording began.
            continue
        found += [_until(incident, _replaced(incident, key.uid, ready_pods) or gone) for incident in its]
    return found


def _replaced(incident: Incident, uid: str, ready_pods: Sequence[PodRecord]) -> datetime | None:
    """Return when a pod that was created after the begin of a problem took the place of its pod; None if none did."""
    if not incident.controller[1]:
        return None
    for pod in ready_pods:
        its = pod.controller
        if (
            its is not None
            and pod.uid != uid
            and (its.kind, its.name, pod.namespace) == (*incident.controller, incident.namespace)
            and pod.created is not None
            and pod.created >= incident.begin - timedelta(seconds=1)
        ):
            return pod.at
    return None


def _until(incident: Incident, gone: datetime | None) -> Incident:
    """Return a problem of a container, which ends at the latest when its pod does not exist any more."""
    if gone is None or (incident.end is not None and incident.end <= gone):
        return incident
    return replace(incident, end=max(gone, incident.begin))


def _deletion(pods: Sequence[PodRecord]) -> datetime | None:
    """Return when the deletion of a pod was requested; None if it was not."""
    for pod in pods:
        if pod.deletion is not None:
            return pod.deletion - timedelta(seconds=pod.deletion_grace or 0)
        if pod.reason == "Evicted":
            return pod.at - _EVICTION_TIME
        if pod.seen == "deleted":
            return pod.at
    return None


def _terminations(records: Sequence[ContainerRecord]) -> Iterator[tuple[Termination, ContainerRecord]]:
    """Yield each end of a container once, with the record that shows it first."""
    seen: set[object] = set()
    for position, record in enumerate(records):
        ends = [record.last] if record.last is not None else []
        if record.state == "terminated" and record.exit_code is not None:
            ends.append(
                Termination(
                    exit_code=record.exit_code, reason=record.reason, message=record.message, signal=record.signal,
                    started=record.started, finished=record.finished, container_id=record.container_id,
                )
            )  # fmt: skip
        for end in ends:
            identity = end.container_id or (end.started, end.finished)
            # What ended before the recorder started is no news.
            if identity not in seen and not (position == 0 and record.seen == "listed" and end is record.last):
                yield end, record
            seen.add(identity)


def _ended(
    records: Sequence[ContainerRecord], events: Sequence[EventRecord], deletion: datetime | None
) -> Iterator[Incident]:
    for end, record in _terminations(records):
        begin = end.finished or record.at
        if deletion is not None and begin >= deletion - timedelta(seconds=1) and end.reason != "OOMKilled":
            continue
        if end.exit_code == 0 and end.reason != "OOMKilled" and (record.init or _is_job(record)):
            continue
        recovered = next(
            (
                each.at
                for each in records
                if each.at > begin and each.state == "running" and each.ready and each.container_id != end.container_id
            ),
            None,
        )
        yield _incident(_end_finding(record, end, events, begin), record, begin, recovered)


def _is_job(record: ContainerRecord) -> bool:
    return record.controller is not None and record.controller.kind == "Job"


def _end_finding(
    record: ContainerRecord, end: Termination, events: Sequence[EventRecord], finished: datetime
) -> Finding:
    """Return why a container ended."""
    name = record.container
    if end.reason == "OOMKilled":
        limit = f" of {record.memory_limit}" if record.memory_limit else ""
        return Finding(
            cause="OOMKilled",
            subject=_ref(record),
            message=f"container {name} exceeded its memory limit{limit}",
            brief=f"OOMKilled{f' at {record.memory_limit}' if record.memory_limit else ''}",
            hint="increase its memory limit, or reduce its memory use",
        )
    for probe, cause in (("Liveness", "LivenessProbe"), ("Startup", "StartupProbe")):
        failed = _probe_event(events, probe, finished)
        if failed is not None and end.exit_code in _AFTER_SIGNAL and _killed_by_kubelet(events, finished):
            asked = record.probes.get(probe.lower(), "")
            return Finding(
                cause=cause,
                subject=_ref(record),
                message=f"its {probe.lower()} probe failed{f' ({asked})' if asked else ''}, so the kubelet ended it",
                evidence=(failed.message,),
                brief=f"failed its {probe.lower()} probe",
                hint=f"read its log: seatrial logs {record.pod} --previous",
            )
    if end.reason in ("StartError", "ContainerCannotRun"):
        message = f"container {name} cannot start: {short(end.message)}"
        return Finding(cause="StartError", subject=_ref(record), message=message, evidence=(end.message,))
    if record.init:
        message = f"init container {name} ended with exit code {end.exit_code}"
        return Finding(cause="InitContainerFailed", subject=_ref(record), message=message, hint="read its log")
    killed = end.exit_code == _SIGKILL
    cause = "Exited" if end.exit_code == 0 else "Crash"
    how = "was killed (exit code 137)" if killed else f"ended with exit code {end.exit_code}"
    return Finding(
        cause=cause,
        subject=_ref(record),
        message=f"container {name} {how}",
        evidence=tuple(filter(None, (end.message,))),
        brief="was killed" if killed else f"exited with {end.exit_code}",
        hint=f"read its log: seatrial logs {record.pod} --previous",
    )


def _probe_event(events: Sequence[EventRecord], probe: str, until: datetime) -> EventRecord | None:
    for event in reversed(events):
        moment = event.last or event.at
        if (
            event.reason == "Unhealthy"
            and event.message.startswith(probe)
            and until - _PROBE_LEAD <= moment <= until + timedelta(seconds=2)
        ):
            return event
    return None


def _killed_by_kubelet(events: Sequence[EventRecord], finished: datetime) -> bool:
    """Whether the kubelet said before the end of the container that it restarts it because of a probe."""
    return any(
        event.reason == "Killing"
        and "probe" in event.message
        and finished - _PROBE_LEAD <= (event.first or event.at) <= finished
        for event in events
    )


def _waiting(records: Sequence[ContainerRecord]) -> Iterator[Incident]:
    """Yield the times in which a container could not start, alternating reasons as one."""
    since: ContainerRecord | None = None
    for record in records:
        stuck = record.state == "waiting" and record.reason in _WAITING
        if stuck and since is None:
            since = record
        elif since is not None and record.state == "running":
            yield _stuck(since, record.at)
            since = None
    if since is not None:
        yield _stuck(since, None)


def _stuck(record: ContainerRecord, end: datetime | None) -> Incident:
    cause = _WAITING[record.reason]
    what = f"image {record.image} cannot be pulled" if "Image" in record.reason else short(record.message)
    finding = Finding(
        cause=cause,
        subject=_ref(record),
        message=f"container {record.container} cannot start: {what}",
        evidence=tuple(filter(None, (record.message,))),
        brief=f"cannot start: {record.reason}",
    )
    return _incident(finding, record, record.at, end)


def _unready(
    records: Sequence[ContainerRecord], events: Sequence[EventRecord], deletion: datetime | None
) -> Iterator[Incident]:
    """Yield the times in which a running container was not ready after it was ready."""
    for before, record in pairwise(records):
        same = before.container_id == record.container_id and record.state == "running"
        if not (before.ready and not record.ready and same) or (deletion is not None and record.at >= deletion):
            continue
        again = next(
            (each.at for each in records if each.at > record.at and (each.ready or not each.container_id)), None
        )
        failed = _probe_event(events, "Readiness", record.at)
        asked = record.probes.get("readiness", "")
        finding = Finding(
            cause="ReadinessProbe",
            subject=_ref(record),
            message=f"its readiness probe failed{f' ({asked})' if asked else ''}",
            evidence=(failed.message,) if failed else (),
            brief="failed its readiness probe",
            hint=f"read its log: seatrial logs {record.pod}",
        )
        yield _incident(finding, record, record.at, again)


def _throttled(records: Sequence[ContainerRecord]) -> Iterator[Incident]:
    """Yield the times in which a running container had less CPU than it started with."""
    for before, record in pairwise(records):
        less = _cores(record.cpu_limit) < _cores(before.cpu_limit)
        if not (less and before.container_id == record.container_id and record.state == "running"):
            continue
        enough = _cores(before.cpu_limit)
        again = next((each.at for each in records if each.at > record.at and _cores(each.cpu_limit) >= enough), None)
        finding = Finding(
            cause="CPUThrottled",
            subject=_ref(record),
            message=f"its CPU limit was decreased from {before.cpu_limit or 'none'} to {record.cpu_limit}",
            brief=f"throttled at {record.cpu_limit} CPU",
            hint="increase its CPU limit",
        )
        yield _incident(finding, record, record.at, again)


def _cores(quantity: str) -> float:
    """Return a CPU quantity in cores; infinite without a limit or if it is not a number."""
    try:
        return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
    except ValueError:
        return math.inf


def _stuck_init(records: Sequence[ContainerRecord]) -> Iterator[Incident]:
    """Yield init containers that ran longer than a short task takes."""
    for record in records:
        if record.init and not record.sidecar and record.state == "running" and record.started is not None:
            later = (each for each in records if each.at > record.at)
            ended = next((each.at for each in later if each.state != "running" or each.seen == "deleted"), None)
            begin = record.started + _INIT_TIME
            if ended is None or ended > begin:
                finding = Finding(
                    cause="InitContainerStuck",
                    subject=_ref(record),
                    message=f"init container {record.container} did not end",
                    brief=f"waits for its init container {record.container}",
                    hint=f"read its log: seatrial logs {record.pod}",
                )
                yield _incident(finding, record, begin, ended)
            return


def _incident(finding: Finding, record: ContainerRecord, begin: datetime, end: datetime | None) -> Incident:
    controller = record.controller
    return Incident(
        finding=finding,
        begin=begin,
        end=end,
        namespace=record.namespace,
        pods=frozenset((record.uid,)),
        controller=(controller.kind, controller.name) if controller else ("", ""),
    )


def _ref(record: ContainerRecord) -> ObjectRef:
    return ObjectRef(kind="Pod", name=record.pod, namespace=record.namespace, container=record.container)
