from __future__ import annotations

import threading

import pytest
from seatrial.compose.service_wait import ServiceWait, with_log
from seatrial.doubles import Recorded
from seatrial.model.deadline import Deadline
from seatrial.model.errors import NotReady
from seatrial.model.event import FindingMade, ServiceSeen
from seatrial.model.finding import Finding, ObjectRef

from compose.fake_compose import FakeCompose, container


def starting(service):
    return container(service, Health={"Status": "starting"})


def wait(compose, recorded=None, seconds=5.0):
    service_wait = ServiceWait(compose=compose, emit=recorded or Recorded(), canceled=threading.Event())
    return service_wait(compose.containers(), Deadline.after(seconds))


def test_wait_ends_once_all_containers_are_ready():
    recorded, compose = Recorded(), FakeCompose(container("db"), starting("web"))
    ready = [container("db"), container("web", Health={"Status": "healthy"})]
    compose.then = [compose.present, ready]

    assert wait(compose, recorded) == ready
    assert [(seen.name, seen.ready) for seen in recorded.of(ServiceSeen)] == [
        ("db", True),
        ("web", False),
        ("web", True),
    ]


def test_failed_container_is_a_finding_with_its_log():
    recorded, compose = Recorded(), FakeCompose(container("db", Running=False, Status="exited", ExitCode=3))
    compose.texts = {"shop-aa-db-1": b"starting\nno space left\n"}

    with pytest.raises(NotReady, match="db not ready") as caught:
        wait(compose, recorded)
    (finding,) = caught.value.findings
    assert finding.evidence == ("starting", "no space left")
    assert [made.finding for made in recorded.of(FindingMade)] == [finding]


def test_finding_about_a_container_without_a_readable_log_has_no_lines():
    compose = FakeCompose(container("db", Running=False, Status="exited", ExitCode=3))
    compose.unreadable = {"shop-aa-db-1"}

    with pytest.raises(NotReady) as caught:
        wait(compose)
    assert [finding.evidence for finding in caught.value.findings] == [()]


def test_container_that_stays_unhealthy_fails_at_the_deadline():
    compose = FakeCompose(container("web", Health={"Status": "unhealthy", "FailingStreak": 2}))

    with pytest.raises(NotReady) as caught:
        wait(compose, seconds=0)
    assert [each.cause for each in caught.value.findings] == ["Unhealthy"]


def test_canceled_wait_ends_without_a_result():
    compose, canceled = FakeCompose(starting("web")), threading.Event()
    canceled.set()
    service_wait = ServiceWait(compose=compose, emit=Recorded(), canceled=canceled)

    assert service_wait(compose.present, Deadline.after(60)) == compose.present


def test_finding_about_another_object_has_no_log():
    finding = Finding(cause="X", subject=ObjectRef(kind="Service", name="elsewhere"), message="x")

    assert with_log(FakeCompose(), [], finding) == finding
