from __future__ import annotations

import threading

import pytest
from fakes import FakeExec
from seatrial.doubles import Recorded
from seatrial.model.errors import NotReady
from seatrial.model.event import ServiceSeen
from seatrial.runner.probe_run import ProbeRun

REFUSED = b'{"name": "web", "message": "Connection refused"}\n'
GOOD = b'{"name": "web", "message": ""}\n'


def probe_run(exec_, recorded=None, probes=({"name": "web", "host": "web", "port": 80},)):
    return ProbeRun(
        connect=lambda: exec_,
        probes=list(probes),
        namespace="",
        emit=recorded or Recorded(),
        canceled=threading.Event(),
    )


def test_each_change_of_a_service_is_an_event():
    exec_, recorded = FakeExec(), Recorded()
    exec_.chunks = [REFUSED, REFUSED, GOOD]
    probe_run(exec_, recorded)(5)

    assert [(seen.ready, seen.waits_for) for seen in recorded.of(ServiceSeen)] == [
        (False, "Connection refused"),
        (True, ""),
    ]


def test_service_outside_of_kubernetes_has_no_namespace():
    exec_ = FakeExec()
    exec_.chunks = [REFUSED]

    with pytest.raises(NotReady) as caught:
        probe_run(exec_)(5)
    assert caught.value.findings[0].subject.namespace == ""


def test_nothing_runs_without_probes():
    exec_ = FakeExec()
    probe_run(exec_, probes=())(5)

    assert exec_.asked == []
