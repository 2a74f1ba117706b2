from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from seatrial.model import event as e
from seatrial.model import timeline as t
from seatrial.model.finding import ObjectRef
from seatrial.report.history import History
from seatrial.report.lanes import incidents, lanes, service_of
from seatrial.report.page import StageRow
from seatrial.report.page import Test as PageTest

from .run_directories import RUN, START


def history(*bodies: tuple[float, e.Body], seconds: float = 100) -> History:
    taken = History()
    note = e.Note(level="debug", text="")
    for after, body in ((0, note), *bodies, (seconds, note)):
        taken.take(e.Event(run=RUN, seq=0, at=START + timedelta(seconds=after), body=body))
    return taken


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


def container(seconds: float, **fields: Any) -> t.ContainerRecord:
    values: dict[str, Any] = {
        "seen": "modified", "namespace": "default", "pod": "web-1-abcde", "uid": "u", "container": "api",
        "controller": t.Controller(kind="Deployment", name="web"),
    }  # fmt: skip
    return t.ContainerRecord(at=at(seconds), **(values | fields))


def seen(phase: str, *, ready: bool = False, restarts: int = 0, reason: str = "") -> e.PodSeen:
    pod = ObjectRef(kind="Pod", name="web-0", namespace="default")
    return e.PodSeen(pod=pod, node="n", phase=phase, ready=ready, restarts=restarts, reason=reason)


def test_stages_and_tests_have_lanes() -> None:
    stages = [StageRow(name="cluster", outcome="done", start=1, seconds=20, facts=(("name", "x"),)),
              StageRow(name="test", outcome="", start=21, seconds=3)]  # fmt: skip
    tests = [
        PageTest(id="t0", nodeid="a.py::a", outcome="failed", start=22, seconds=1, worker="gw1"),
        PageTest(id="t1", nodeid="a.py::b", outcome="passed", start=23, seconds=1, worker="gw0"),
        PageTest(id="t2", nodeid="b.py", outcome="error", start=None, seconds=0),
    ]
    cluster, test, first, second = lanes(history(), stages, tests, [])

    assert cluster.bars[0].text == "cluster: done (name x)"
    assert (cluster.bars[0].start, cluster.bars[0].end, cluster.bars[0].kind) == (1, 21, "done")
    assert (test.bars[0].kind, test.bars[0].text) == ("running", "test: did not end")
    assert [(lane.name, [bar.target for bar in lane.bars]) for lane in (first, second)] == [
        ("gw0", ["t1"]), ("gw1", ["t0"]),
    ]  # fmt: skip


def test_recorded_containers_have_a_bar_for_each_state() -> None:
    records: list[t.Record] = [
        container(2, state="waiting", reason="ContainerCreating"),
        container(4, state="running"),
        container(6, state="running", ready=True),
        container(10, state="terminated", reason="OOMKilled", exit_code=137),
        container(12, state="waiting", reason="CrashLoopBackOff", restarts=0),
        container(
            20, state="running", ready=True, restarts=1, last=t.Termination(exit_code=137, reason="OOMKilled")
        ),
        t.EventRecord(
            at=at(30), seen="added", namespace="default", name="e", uid="e", type="Warning", reason="Unhealthy",
            message="HTTP 503", regarding=t.ClusterObject(kind="Pod", namespace="default", name="web-1-abcde"),
        ),
        t.PodRecord(at=at(50), seen="deleted", namespace="default", name="web-1-abcde", uid="u"),
    ]  # fmt: skip
    [lane] = lanes(history(), [], [], records)

    assert (lane.name, lane.service) == ("web-1-abcde / api", "web")
    assert [(bar.kind, bar.start, bar.end) for bar in lane.bars] == [
        ("pending", 2, 4), ("starting", 4, 6), ("ready", 6, 10), ("broken", 10, 12), ("broken", 12, 20),
        ("ready", 20, 50),
    ]  # fmt: skip
    assert [(mark.at, mark.text) for mark in lane.marks] == [
        (20, "api restarted after OOMKilled (exit code 137)"), (30, "Unhealthy: HTTP 503"),
    ]  # fmt: skip


def test_container_that_completed_has_ended() -> None:
    records = [container(5, state="terminated", exit_code=0, reason="Completed"), container(9, seen="deleted")]
    [lane] = lanes(history(), [], [], records)

    assert [(bar.kind, bar.start, bar.end) for bar in lane.bars] == [("ended", 5, 9)]


def test_pods_of_events_are_shown_without_a_recorder() -> None:
    warning = e.KubernetesEvent(
        subject=ObjectRef(kind="Pod", name="web-0"), type="Warning", reason="BackOff", message="again"
    )
    states = ((1, seen("Pending", reason="ErrImagePull")), (3, seen("Running")), (5, seen("Running", ready=True)))
    [lane] = lanes(history(*states, (6, warning), (9, seen("Failed")), seconds=10), [], [], [])

    assert (lane.name, lane.service) == ("web-0", "web")
    assert [(bar.kind, bar.start, bar.end) for bar in lane.bars] == [
        ("pending", 1, 3), ("starting", 3, 5), ("ready", 5, 9), ("broken", 9, 10),
    ]  # fmt: skip
    assert lane.bars[0].text == "web-0: Pending, ErrImagePull"
    assert [mark.text for mark in lane.marks] == ["BackOff: again"]


def test_recorded_incidents() -> None:
    pod = t.ClusterObject(kind="Pod", namespace="default", name="web-1-abcde")
    records: list[t.Record] = [
        container(1, state="running"),
        t.PodRecord(at=at(2), seen="modified", namespace="default", name="web", uid="p", ready=True),
        t.EventRecord(at=at(9), last=at(3), seen="modified", namespace="default", name="e", uid="e", type="Warning",
                      reason="Unhealthy", message="HTTP 503", count=4, regarding=pod),
        t.EventRecord(at=at(4), seen="added", namespace="default", name="e", uid="f", type="Normal", reason="Pulled",
                      message="x", regarding=pod),
        t.PodRecord(at=at(5), seen="modified", namespace="default", name="web", uid="p", ready=False),
        container(6, state="terminated", exit_code=1, reason="Error"),
        container(7, state="running", restarts=1),
        t.NodeRecord(at=at(8), seen="modified", name="n", uid="n", ready=False),
        t.RefusalRecord(
            at=at(9), namespace="default", by="quota", regarding=pod, reason="FailedCreate", message="exceeded"
        ),
        t.PodRecord(at=at(10), seen="deleted", namespace="default", name="web", uid="p"),
    ]  # fmt: skip
    found = incidents(history(), records)

    assert [(each.at, each.subject, each.text, each.warning) for each in found] == [
        (3, "pod/web-1-abcde", "Unhealthy: HTTP 503 (4 times)", True),
        (5, "pod/web", "is no longer ready", True),
        (6, "pod/web-1-abcde", "api ended: Error (exit code 1)", True),
        (7, "pod/web-1-abcde", "api restarted", True),
        (8, "node/n", "is not ready", True),
        (9, "pod/web-1-abcde", "refused by quota: exceeded", True),
        (10, "pod/web", "deleted", False),
    ]


def test_service_without_ready_pods_is_an_incident() -> None:
    def endpoints(seconds: float, **fields: Any) -> t.EndpointsRecord:
        return t.EndpointsRecord(
            at=at(seconds), seen="modified", namespace="default", name="web-x", uid="s", service="web", **fields
        )

    ready = t.Endpoint(addresses=("10.0.0.1",))
    records: list[t.Record] = [
        endpoints(1, ready=(ready,)),
        t.PodRecord(at=at(2), seen="modified", namespace="default", name="web", uid="p", ready=True, deletion=at(32)),
        t.PodRecord(at=at(3), seen="modified", namespace="default", name="web", uid="p", ready=True, deletion=at(32)),
        endpoints(4, not_ready=(ready,)),
        endpoints(5),
        endpoints(6, ready=(ready,)),
    ]

    assert [(each.at, each.subject, each.text, each.warning) for each in incidents(history(), records)] == [
        (2, "pod/web", "is being deleted", True),
        (4, "service/web", "has no ready pod", True),
        (6, "service/web", "has a ready pod again", False),
    ]


def test_containers_of_the_cluster_are_shown_only_if_one_was_not_well() -> None:
    well = container(1, namespace="kube-system", pod="dns-a", uid="a", state="running", ready=True)
    unwell = container(1, namespace="kube-system", pod="proxy-b", uid="b", state="waiting", reason="CrashLoopBackOff")
    tests = container(1, pod="test-runner", uid="t", container="tests", state="running", ready=True)
    found = lanes(history(), [], [], [unwell, well, tests, container(2, state="running", ready=True)])

    assert [lane.name for lane in found] == ["web-1-abcde / api", "test-runner / tests", "proxy-b / api"]


def test_init_container_that_ended_before_the_run_has_no_lane() -> None:
    seed = container(1, container="seed", init=True, state="terminated", exit_code=0)
    waiting = container(1, container="wait", init=True, state="running")

    assert [lane.name for lane in lanes(history(), [], [], [seed, waiting])] == ["web-1-abcde / wait"]


def test_pods_of_one_name_after_another_are_numbered() -> None:
    first = container(1, pod="db-0", uid="a", state="running")
    second = container(5, pod="db-0", uid="b", state="running")

    assert [lane.name for lane in lanes(history(), [], [], [first, second])] == ["db-0 / api", "db-0 (2) / api"]


def test_container_that_ran_before_the_run_is_shown_from_its_start() -> None:
    before = container(0.2, seen="listed", state="running", ready=True, started=at(-50))
    [lane] = lanes(history(), [], [], [before])

    assert lane.bars[0].start == 0


def test_warning_from_before_the_run_is_no_mark() -> None:
    old = t.EventRecord(
        at=at(1), last=at(-20), seen="listed", namespace="default", name="e", uid="e", type="Warning",
        reason="Unhealthy", message="x", regarding=t.ClusterObject(kind="Pod", namespace="default", name="web-1-abcde"),
    )  # fmt: skip
    [lane] = lanes(history(), [], [], [old, container(1, state="running")])

    assert lane.marks == ()


def test_incidents_that_events_tell() -> None:
    warning = e.KubernetesEvent(
        subject=ObjectRef(kind="Pod", name="web-0"), type="Warning", reason="BackOff", message="again"
    )
    states = ((1, seen("Running", ready=True)), (2, warning), (3, seen("Running", restarts=1, reason="Error")))

    assert [(each.at, each.text) for each in incidents(history(*states), [])] == [
        (2, "BackOff: again"), (3, "is no longer ready: Running, Error"), (3, "restarted, 1 restarts"),
    ]  # fmt: skip


def test_lane_of_a_deployment_leaves_out_the_hash_of_its_replica_set() -> None:
    [lane] = lanes(history(), [], [], [container(1, pod="orders-api-7886694586-nw5h2", state="running")])

    assert lane.name == "orders-api-nw5h2 / api"


@pytest.mark.parametrize(
    ("pod", "service"),
    [
        ("orders-api-7886694586-nw5h2", "orders-api"),
        ("postgresql-0", "postgresql"),
        ("migrate-7hslq", "migrate"),
        ("web", "web"),
        ("web-api", "web-api"),
        ("0", "0"),
    ],
)
def test_service_of_a_pod(pod: str, service: str) -> None:
    assert service_of(pod) == service
