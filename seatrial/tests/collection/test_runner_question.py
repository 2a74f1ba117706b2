"""The container of the tests is asked for services by the names that the tests use."""

from __future__ import annotations

import json
import threading

import pytest
from fakes import FakeExec, refused
from seatrial.collection.runner_question import RunnerQuestion, asked_services
from seatrial.model.environment_facts import RunnerFacts, Usage
from seatrial.model.spec import Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.ports import Completed


@pytest.fixture
def project(tmp_path):
    services = {
        "web": ServiceSpec(port=80, ready=ReadySpec(http="/health")),
        "db": ServiceSpec(port=5432, namespace="data", name="postgresql"),
    }
    return Project(root=tmp_path, runner=RunnerSpec(image="r:1", namespace="shop"), service=services)


def test_services_are_named_as_in_their_namespace(project):
    assert asked_services(project, "shop") == [
        {"name": "web", "host": "web", "port": 80, "names": ["web"], "http": "/health"},
        {"name": "db", "host": "postgresql.data", "port": 5432, "names": ["postgresql.data"], "http": None},
    ]


def test_services_have_bare_names_without_namespaces(project):
    assert [each["host"] for each in asked_services(project, "")] == ["web", "postgresql"]


def test_answer_is_decoded():
    pod = FakeExec()
    asked = []

    def run(argv, *, stdin=b"", container="tests", timeout):
        asked.append((argv[-1], json.loads(stdin)))
        return Completed(argv=tuple(argv), code=0, stdout=b'{"user": 7}', stderr=b"")

    pod.run = run
    question = RunnerQuestion(pod, [], b"key")
    question.begin()
    question.begin()
    used = Usage(memory_peak=5)
    assert question.answer(used) == (RunnerFacts(user=7, usage=used), "")
    assert asked == [("facts", {"key": b"key".hex(), "services": []})], "it is asked once"


def test_reason_is_returned_without_an_answer():
    pod = FakeExec()

    def run(*args, **more):
        raise refused("no such container")

    pod.run = run
    facts, problem = RunnerQuestion(pod, [], b"key").answer(Usage())
    assert facts is None
    assert problem == "the cluster refuses"


def test_container_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("seatrial.collection.runner_question.SECONDS", 0.1)
    pod, block = FakeExec(), threading.Event()

    def run(*args, **more):
        block.wait()
        raise refused("too late")

    pod.run = run
    assert RunnerQuestion(pod, [], b"key").answer(Usage()) == (None, "it did not answer in time")
    block.set()
