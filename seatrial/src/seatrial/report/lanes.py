"""Lay out stages, tests and containers on one clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from seatrial.model import event as e
from seatrial.model.timeline import (
    ContainerRecord,
    EndpointsRecord,
    EventRecord,
    NodeRecord,
    PodRecord,
    Record,
    RefusalRecord,
)
from seatrial.report.history import History
from seatrial.report.page import Bar, BarKind, Incident, Lane, Mark, StageRow, Test

__all__ = ["incidents", "lanes", "service_of"]

_STAGE_KINDS: Final[Mapping[str, BarKind]] = {
    "done": "done", "unchanged": "unchanged", "failed": "failed", "skipped": "skipped", "interrupted": "interrupted",
}  # fmt: skip
_MARKS: Final = 200
"""Marks in a row."""

_GENERATED: Final = 5
"""Characters of the suffix that controllers add to names of pods."""

_RESTART: Final = "restarted"
_SYSTEM: Final = frozenset(("kube-system", "kube-public", "kube-node-lease", "local-path-storage"))
"""Namespaces of the cluster itself. Their containers are shown only if one of them was not well during the run."""


def lanes(
    history: History, stages: Sequence[StageRow], tests: Sequence[Test], records: Sequence[Record]
) -> tuple[Lane, ...]:
    """Return the rows of the timeline: stages, workers of the tests, containers.

    Args:
        history: the run's events; their pods are shown if the cluster was not recorded.
        stages: the stages.
        tests: the tests.
        records: the records of the cluster.
    """
    start = history.start
    rows = [*_stage_lanes(stages), *_test_lanes(tests)]
    if start is not None and any(isinstance(record, ContainerRecord) for record in records):
        rows += _container_lanes(records, start, history.end)
    else:
        rows += _pod_lanes(history)
    return tuple(rows)


def incidents(history: History, records: Sequence[Record]) -> list[Incident]:
    """Return changes and warnings in the cluster, in the order of time."""
    found = list(_recorded(records, history.start)) if records and history.start else list(_told(history))
    return sorted(found, key=lambda each: each.at)


def service_of(pod: str) -> str:
    """Return the workload of a pod by its name: `orders-api-7886694586-nw5h2` and `orders-0` without their suffixes."""
    parts = pod.split("-")
    if len(parts) > 1 and parts[-1].isdigit():
        return "-".join(parts[:-1])
    if len(parts) > 1 and len(parts[-1]) == _GENERATED and parts[-1].isalnum():
        del parts[-1]
        if len(parts) > 1 and parts[-1].isalnum() and len(parts[-1]) > _GENERATED and any(map(str.isdigit, parts[-1])):
            del parts[-1]
    return "-".join(parts)


def _short_name(pod: str) -> str:
    """Return a pod's name without the hash of its ReplicaSet: `orders-api-nw5h2`."""
    service, last = service_of(pod), pod.rpartition("-")[2]
    return f"{service}-{last}" if pod.count("-") - service.count("-") > 1 else pod


def _stage_lanes(stages: Sequence[StageRow]) -> Iterable[Lane]:
    for row in stages:
        facts = ", ".join(f"{name} {value}".strip() for name, value in row.facts)
        text = f"{row.name}: {row.outcome or 'did not end'}" + (f" ({facts})" if facts else "")
        kind = _STAGE_KINDS.get(row.outcome, "running")
        bar = Bar(start=row.start, end=row.start + row.seconds, kind=kind, text=text)
        yield Lane(name=row.name, group="stages", bars=(bar,))


def _test_lanes(tests: Sequence[Test]) -> Iterable[Lane]:
    by_worker: dict[str, list[Bar]] = {}
    for test in tests:
        if test.start is not None:
            text, end = f"{test.nodeid}: {test.outcome}", test.start + test.seconds
            bar = Bar(start=test.start, end=end, kind=test.outcome, text=text, target=test.id)
            by_worker.setdefault(test.worker, []).append(bar)
    for worker, bars in sorted(by_worker.items()):
        yield Lane(name=worker or "tests", group="tests", bars=tuple(bars))


def _pod_lanes(history: History) -> Iterable[Lane]:
    """Return a row for each pod that events tell about: less than what a recorder sees."""
    by_pod: dict[tuple[str, str], list[tuple[float, e.PodSeen]]] = {}
    for at, seen in history.pods:
        by_pod.setdefault((seen.pod.namespace, seen.pod.name), []).append((at, seen))
    for (_, name), states in sorted(by_pod.items(), key=lambda item: item[1][0][0]):
        bars = []
        for number, (at, seen) in enumerate(states):
            end = states[number + 1][0] if number + 1 < len(states) else history.end
            text = (
                f"{name}: {seen.phase}" + (", ready" if seen.ready else "") + (f", {seen.reason}" * bool(seen.reason))
            )
            bars.append(Bar(start=at, end=end, kind=_pod_kind(seen), text=text))
        marks = [
            Mark(at=at, text=f"{event.reason}: {event.message}")
            for at, event in history.cluster_events
            if event.type == "Warning" and event.subject.name == name
        ]
        yield Lane(
            name=name, group="containers", bars=tuple(bars), marks=tuple(marks[:_MARKS]), service=service_of(name)
        )


def _pod_kind(seen: e.PodSeen) -> BarKind:
    if seen.phase in ("Succeeded", "Failed"):
        return "ended" if seen.phase == "Succeeded" else "broken"
    if seen.ready:
        return "ready"
    return "pending" if seen.phase == "Pending" else "starting"


def _container_lanes(records: Sequence[Record], start: datetime, end: float) -> Iterable[Lane]:
    states: dict[tuple[str, str, str, str], list[ContainerRecord]] = {}
    gone: dict[str, float] = {}
    warnings: dict[tuple[str, str], list[Mark]] = {}
    for record in records:
        match record:
            case ContainerRecord():
                key = (record.namespace, record.pod, record.uid, record.container)
                states.setdefault(key, []).append(record)
            case PodRecord(seen="deleted"):
                gone[record.uid] = _after(record.at, start)
            case EventRecord(type="Warning", regarding=subject):
                at = _after(record.last or record.at, start)
                mark = Mark(at=at, text=f"{record.reason}: {record.message}")
                warnings.setdefault((subject.namespace, subject.name), []).append(mark)
            case _:
                pass
    uids: dict[tuple[str, str], list[str]] = {}
    for (namespace, pod, uid, container), seen in sorted(states.items(), key=_order):
        same = uids.setdefault((namespace, pod), [])
        if uid not in same:
            same.append(uid)
        until = min(gone.get(uid, end), end)
        bars = tuple(_bars(seen, start, until))
        marks = [each for each in (*_restarts(seen, start), *warnings.get((namespace, pod), ())) if 0 <= each.at <= end]
        over = seen[0].init and all(bar.kind == "ended" for bar in bars)
        if over or (namespace in _SYSTEM and all(bar.kind in ("ready", "ended") for bar in bars)):
            continue
        service = seen[-1].controller.name if seen[-1].controller else service_of(pod)
        # Pods of a StatefulSet have one name after another.
        again = f" ({len(same)})" if len(same) > 1 else ""
        name = f"{_short_name(pod)}{again} / {container}"
        yield Lane(name=name, group="containers", bars=bars, marks=tuple(marks[:_MARKS]), service=service)


def _bars(states: Sequence[ContainerRecord], start: datetime, until: float) -> Iterable[Bar]:
    for number, record in enumerate(states):
        if record.seen == "deleted":
            return
        begin = _begin(record, start)
        following = states[number + 1] if number + 1 < len(states) else None
        end = min(_begin(following, start), until) if following else until
        yield Bar(start=begin, end=max(begin, end), kind=_kind(record), text=_state(record))


def _order(item: tuple[tuple[str, str, str, str], list[ContainerRecord]]) -> tuple[bool, bool, str, datetime]:
    """Sort containers: those of the tests and of the cluster last, pods of one workload together."""
    (namespace, pod, _, _), states = item
    runner = any(record.container == "tests" for record in states) or pod == "test-runner"
    return namespace in _SYSTEM, runner, service_of(pod), states[0].at


def _begin(record: ContainerRecord, start: datetime) -> float:
    """Return when a state began. The cluster's times are in whole seconds, the recorder's are exact but late."""
    if record.seen == "listed" and record.started is not None:
        # It was so before the recorder looked.
        return max(0.0, min(_after(record.started, start), _after(record.at, start)))
    return max(0.0, _after(record.at, start))


def _kind(record: ContainerRecord) -> BarKind:
    if record.state == "terminated":
        return "ended" if record.exit_code == 0 else "broken"
    if record.state == "waiting":
        return "broken" if record.reason.endswith(("BackOff", "Error", "ErrImageNeverPull")) else "pending"
    return "ready" if record.ready else "starting"


def _state(record: ContainerRecord) -> str:
    words = [f"{record.pod}/{record.container}: {record.state}"]
    if record.state == "running":
        words.append("ready" if record.ready else "not ready")
    if record.reason:
        words.append(record.reason)
    if record.exit_code is not None:
        words.append(f"exit code {record.exit_code}")
    if record.restarts:
        words.append(f"{record.restarts} restarts")
    return ", ".join(words)


def _restarts(states: Sequence[ContainerRecord], start: datetime) -> Iterable[Mark]:
    known = states[0].restarts
    for record in states[1:]:
        if record.restarts > known:
            yield Mark(at=_after(record.at, start), text=_restart(record))
        known = max(known, record.restarts)


def _restart(record: ContainerRecord) -> str:
    why = f" after {record.last.reason} (exit code {record.last.exit_code})" if record.last else ""
    return f"{record.container} {_RESTART}{why}"


def _recorded(records: Sequence[Record], start: datetime | None) -> Iterable[Incident]:
    if start is None:
        return
    restarts: dict[tuple[str, str], int] = {}
    ready: dict[str, bool] = {}
    served: dict[str, bool] = {}
    dying: set[str] = set()
    for record in records:
        at = _after(record.at, start)
        match record:
            case EventRecord(type="Warning", regarding=subject, seen="added" | "modified"):
                name = f"{subject.kind.lower()}/{subject.name}"
                text = f"{record.reason}: {record.message}" + (f" ({record.count} times)" if record.count > 1 else "")
                yield Incident(at=_after(record.last or record.at, start), subject=name, text=text, warning=True)
            case ContainerRecord():
                key = (record.uid, record.container)
                name = f"pod/{record.pod}"
                if record.restarts > restarts.get(key, record.restarts):
                    yield Incident(at=at, subject=name, text=_restart(record), warning=True)
                restarts[key] = record.restarts
                if record.state == "terminated" and record.exit_code:
                    text = f"{record.container} ended: {record.reason or 'exit'} (exit code {record.exit_code})"
                    yield Incident(at=at, subject=name, text=text, warning=True)
            case PodRecord(seen="deleted"):
                yield Incident(at=at, subject=f"pod/{record.name}", text="deleted", warning=False)
            case PodRecord():
                if record.deletion is not None and record.uid not in dying:
                    dying.add(record.uid)
                    yield Incident(at=at, subject=f"pod/{record.name}", text="is being deleted", warning=True)
                if record.uid in ready and ready[record.uid] != record.ready:
                    text = "became ready" if record.ready else "is no longer ready"
                    yield Incident(at=at, subject=f"pod/{record.name}", text=text, warning=not record.ready)
                ready[record.uid] = record.ready
            case EndpointsRecord() if record.service:
                has = bool(record.ready) and record.seen != "deleted"
                if served.get(record.name, has) != has:
                    text = "has a ready pod again" if has else "has no ready pod"
                    yield Incident(at=at, subject=f"service/{record.service}", text=text, warning=not has)
                served[record.name] = has
            case NodeRecord(ready=False):
                yield Incident(at=at, subject=f"node/{record.name}", text="is not ready", warning=True)
            case RefusalRecord(regarding=subject):
                name = f"{subject.kind.lower()}/{subject.name}"
                yield Incident(at=at, subject=name, text=f"refused by {record.by}: {record.message}", warning=True)
            case _:
                pass


def _told(history: History) -> Iterable[Incident]:
    """Return what events tell: warnings and pods that stopped being ready or restarted."""
    for at, seen in history.cluster_events:
        if seen.type == "Warning":
            yield Incident(at=at, subject=str(seen.subject), text=f"{seen.reason}: {seen.message}", warning=True)
    known: dict[str, e.PodSeen] = {}
    for at, pod in history.pods:
        before = known.get(pod.pod.name)
        known[pod.pod.name] = pod
        if before and before.ready and not pod.ready:
            text = f"is no longer ready: {pod.phase}" + (f", {pod.reason}" if pod.reason else "")
            yield Incident(at=at, subject=str(pod.pod), text=text, warning=True)
        if before and pod.restarts > before.restarts:
            yield Incident(at=at, subject=str(pod.pod), text=f"restarted, {pod.restarts} restarts", warning=True)


def _after(at: datetime, start: datetime) -> float:
    return (at - start).total_seconds()
