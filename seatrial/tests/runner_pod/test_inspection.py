"""Connections from the runner pod and CPU statistics of containers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from fakes import FakeExec, FakeKube
from seatrial.model.connection import Outcome
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.spec import RunnerSpec
from seatrial.ports import Completed, Object
from seatrial.runner_pod.inspection import CONNECT, connection_targets, cpu_statistics, inspect_network

RUNNER = RunnerSpec(image="tests:1", namespace="shop", pod="tests")
SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "selector": {"app": "web"},
        "clusterIP": "10.1.0.1",
        "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}],
    },
}
SLICE: Object = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
    "ports": [{"port": 8080}, {"port": 53, "protocol": "UDP"}],
    "endpoints": [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
    ],
}


def pod(name):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": []},
    }


class Answering(FakeExec):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def run(self, argv, *, stdin=b"", container="tests", timeout=0.0):
        del argv, stdin, container, timeout
        if isinstance(self.answer, Exception):
            raise self.answer
        return Completed(argv=(), code=0, stdout=self.answer, stderr=b"")


def test_targets_are_the_name_the_address_and_the_ready_pods():
    found = [(each["to"], each["host"], each["port"]) for each in connection_targets([SERVICE, SLICE])]

    assert found == [("name", "web.shop.svc", 80), ("address", "10.1.0.1", 80), ("pod", "10.0.0.1", 8080)]


def test_service_without_selector_or_address_is_no_target():
    headless = {**SERVICE, "spec": {**SERVICE["spec"], "clusterIP": "None"}}

    assert connection_targets([{**SERVICE, "spec": {}}]) == []
    assert [each["to"] for each in connection_targets([headless])] == ["name"]


def test_program_reports_how_each_connection_ended():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        ports = server.getsockname()[1], closed.getsockname()[1]
        closed.close()
        targets = [
            {"host": "127.0.0.1", "port": ports[0]},
            {"host": "127.0.0.1", "port": ports[1]},
            {"host": "name.invalid", "port": 1},
        ]
        argv = [sys.executable, "-c", CONNECT, json.dumps(targets)]
        done = subprocess.run(argv, check=True, capture_output=True)

    assert [each["outcome"] for each in json.loads(done.stdout)] == [Outcome.OPEN, Outcome.REFUSED, Outcome.UNRESOLVED]


def network(answer, *objects):
    kube = FakeKube(SERVICE, SLICE, *objects)
    kube.pod = Answering(answer)
    return inspect_network(kube, RUNNER, ["shop"])


def test_network_has_the_connections_of_the_runner_pod():
    connection = {
        "namespace": "shop", "service": "web", "to": "pod", "host": "10.0.0.1", "port": 8080, "outcome": "was refused",
    }  # fmt: skip
    seen = network(json.dumps([connection]).encode(), pod("tests"))

    assert [each.outcome for each in seen.connections] == [Outcome.REFUSED]
    assert (len(seen.services), len(seen.slices), seen.namespace_labels) == (1, 1, {"shop": {}})


@pytest.mark.parametrize("answer", [b"", EnvironmentFailed("no answer")])
def test_runner_pod_that_runs_no_commands_gives_no_connections(answer):
    assert list(network(answer, pod("tests")).connections) == []
    assert list(network(b"[]").connections) == []


def test_container_without_a_shell_has_no_statistics():
    kube = FakeKube()
    kube.pod = Answering(b"nr_periods 1\n")
    assert cpu_statistics(kube, pod("web-1"), "c") == "nr_periods 1\n"
    kube.pod = Answering(EnvironmentFailed("no shell"))
    assert cpu_statistics(kube, pod("web-1"), "c") == ""
