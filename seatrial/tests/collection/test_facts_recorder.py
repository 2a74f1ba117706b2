"""facts.json has what the container of the tests and the cluster tell, as far as they answer."""

from __future__ import annotations

import json

import msgspec
import pytest
from fakes import FakeKube, refused
from seatrial.collection.cluster_facts import variable
from seatrial.collection.facts_recorder import FactsRecorder, write_facts
from seatrial.collection.runner_question import RunnerQuestion
from seatrial.model.environment_facts import (
    ContainerFacts,
    EnvironmentFacts,
    EnvironmentKind,
    RunnerFacts,
    Usage,
    Variable,
)
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.ports import Completed, StreamBroken
from shop_world import pod

KEY = b"k" * 32


@pytest.fixture
def project(tmp_path):
    services = {
        "web": ServiceSpec(port=80, ready=ReadySpec(http="/health")),
        "db": ServiceSpec(port=5432, namespace="data", name="postgresql"),
    }
    return Project(root=tmp_path, runner=RunnerSpec(image="r:1", namespace="shop"), service=services)


def answering(kube, text):
    def run(argv, *, stdin=b"", container="tests", timeout):
        assert (argv[-1], container, timeout) == ("facts", "tests", 10.0)
        assert json.loads(stdin)["key"] == KEY.hex()
        if isinstance(text, Exception):
            raise text
        return Completed(argv=tuple(argv), code=0, stdout=text, stderr=b"")

    kube.pod.run = run
    return kube


def recorded(kube, project, tmp_path, *, tests=True):
    question = RunnerQuestion(kube.pod, [], KEY) if tests else None
    recorder = FactsRecorder(
        kube=kube, project=project, key=KEY, question=question, usage=Usage(memory_peak=5), images={}
    )
    recorder.start()
    assert recorder.finish(tmp_path, {("web-1", "c"): 5}, seconds=5)
    return msgspec.json.decode((tmp_path / "facts.json").read_bytes(), type=EnvironmentFacts)


def test_both_sources_are_written(project, tmp_path):
    facts = recorded(answering(FakeKube(pod()), b'{"user": 1000, "hostname": "test-runner"}'), project, tmp_path)

    assert (facts.kind, facts.platform) == (EnvironmentKind.KUBERNETES, "v1.34.4")
    assert facts.runner == RunnerFacts(user=1000, hostname="test-runner", usage=Usage(memory_peak=5))
    assert [(each.name, each.log) for each in facts.containers] == [("web-1", 5)]


@pytest.mark.parametrize(
    "answer", [b"Traceback", b'{"user": "root"}', StreamBroken("connection lost"), refused("pods/exec is forbidden")]
)
def test_reason_is_written_if_the_container_of_the_tests_does_not_answer(project, tmp_path, answer):
    facts = recorded(answering(FakeKube(pod()), answer), project, tmp_path)

    assert facts.runner is None
    assert facts.runner_problem
    assert facts.containers


def test_run_without_tests_asks_no_container(project, tmp_path):
    kube = FakeKube(pod())

    assert recorded(kube, project, tmp_path, tests=False).runner_problem == "there was no container of the tests"
    assert kube.pod.asked == []


def test_cluster_that_does_not_answer_leaves_no_file(project, tmp_path):
    kube = FakeKube()

    def objects(*args, **more):
        raise refused("gone")

    kube.objects = objects
    recorder = FactsRecorder(kube=kube, project=project, key=KEY, question=None, usage=Usage(), images={})
    recorder.start()

    assert not recorder.finish(tmp_path, {}, seconds=5)
    assert not (tmp_path / "facts.json").exists()


def test_values_of_secrets_are_read_for_their_fingerprints_only(project, tmp_path):
    there = pod()
    there["spec"]["containers"][0]["env"] = [
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}
    ]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "data": {"p": "c2VzYW1lLW9wZW4="},
    }
    facts = recorded(answering(FakeKube(there, secret), b'{"user": 1}'), project, tmp_path)

    assert facts.containers[0].variables == {"PASSWORD": variable(KEY, "PASSWORD", "sesame-open")}
    assert b"sesame" not in (tmp_path / "facts.json").read_bytes()


def test_names_of_variables_are_written_if_they_contain_a_secret_value(tmp_path):
    SECRETS.learn(["INVENTORY"])
    variables = {"INVENTORY_URI": Variable(fingerprint="a")}
    web = ContainerFacts(name="web", command=("INVENTORY",), variables=variables)
    write_facts(tmp_path, EnvironmentFacts(kind=EnvironmentKind.COMPOSE, containers=(web,)))
    SECRETS.forget()

    (written,) = json.loads((tmp_path / "facts.json").read_bytes())["containers"]
    assert (list(written["variables"]), written["command"]) == (["INVENTORY_URI"], ["***"])
