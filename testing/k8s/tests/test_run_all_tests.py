"""The flow for real: engine, cluster, release, tests in a pod. Some minutes; in the order of this file.

`CLUSTER_NAME` and `KIND_CONFIG` pass through, for a machine whose host ports another cluster has.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from flow.settings import parse

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "testing" / "k8s" / "scripts" / "run-all-tests.sh"
SETTINGS = parse([], os.environ, ROOT)
CLUSTER = SETTINGS.cluster
LATEST = ROOT / ".seatrial" / "runs" / "latest"
FAILING = (
    "echo 'def test_that_fails(): assert 1 == 2' > /tmp/test_fails.py; uv run pytest /tmp/test_fails.py; code=$?; "
    "date +%s.%N > /results/ended; exit $code"
)


@dataclass
class Run:
    """The script in another process; its lines, each with the time it came."""

    process: subprocess.Popen[str]
    lines: list[tuple[float, str]] = field(default_factory=list)
    started: ClassVar[list[Run]] = []

    @classmethod
    def start(cls, *arguments: str, **environment: str) -> Run:
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"KEEP": "never"} | environment,
        )
        run = cls(process)
        cls.started.append(run)
        threading.Thread(target=run._read, daemon=True).start()
        return run

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.time(), line.rstrip()))
        self.process.stdout.close()

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def until(self, condition, *, within: float = 180.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)

    def code(self, *, within: float = 600.0) -> int:
        try:
            code = self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"not done after {within:g} s:\n{self.text}")
        time.sleep(0.2)  # the reader's last lines
        return code


def docker(*arguments: str) -> list[str]:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.split()


def nodes() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}")


def networks() -> list[str]:
    return docker("network", "ls", "--format", "{{.Name}}", "--filter", "name=^kind$")


# kind's network belongs to all its clusters: what was there before stays.
NETWORKS_BEFORE = networks()


def what_is_left() -> list[str]:
    containers = docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^/{CLUSTER}")
    others = docker("ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster")
    made = [] if others or NETWORKS_BEFORE else networks()
    names = docker("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=127.0.0.1:*/*/*")
    return containers + made + names


def volumes_of_nodes() -> set[str]:
    # A container that is just being made may not be there to be inspected.
    template = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    argv = ["docker", "inspect", "--format", template, *nodes()]
    return set(subprocess.run(argv, check=False, capture_output=True, text=True).stdout.split())


def kubectl(*arguments: str) -> str:
    argv = ["kubectl", f"--kubeconfig={SETTINGS.kubeconfig}", "--namespace=floe", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module", autouse=True)
def _nothing_before_and_nothing_after():
    assert Run.start("--down").code() == 0
    yield
    assert Run.start("--down").code() == 0
    assert what_is_left() == []


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test():
    yield
    while Run.started:
        run = Run.started.pop()
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            run.code()


def test_a_cluster_of_somebody_elses_is_refused_and_left_alone():
    label = f"io.x-k8s.kind.cluster={CLUSTER}"
    (foreign,) = docker("create", "--label", label, "foundry/python:3.13")
    try:
        run = Run.start()

        assert run.code() == 4
        assert f"named {CLUSTER} exists" in run.text
        assert docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}") == [foreign]
    finally:
        docker("rm", "--force", foreign)


def test_an_interruption_while_the_cluster_is_made_leaves_nothing():
    run = Run.start()
    run.until(volumes_of_nodes)
    volumes = volumes_of_nodes()
    second = Run.start()
    assert second.code() == 4
    assert "is in use" in second.text
    run.process.send_signal(signal.SIGINT)
    run.until(lambda: "tidying up" in run.text, within=10)
    run.process.send_signal(signal.SIGINT)

    assert run.code() == 130
    assert what_is_left() == []
    assert volumes
    assert not volumes & set(docker("volume", "ls", "--quiet"))


def test_an_image_that_does_not_exist_is_named(tmp_path):
    values = tmp_path / "values.yaml"
    values.write_text("jaeger:\n  image:\n    repository: foundry/jaeger\n    tag: no-such-tag\n")

    run = Run.start("--values", str(values))

    assert run.code() == 10
    assert "image foundry/jaeger:no-such-tag: image cannot be pulled" in run.text
    assert what_is_left() == []


def test_after_a_killed_run_the_next_one_works():
    killed = Run.start()
    killed.until(nodes)
    killed.process.kill()
    killed.process.wait()
    assert nodes()

    run = Run.start(KEEP="always")

    assert run.code() == 0, run.text
    assert "left behind" in run.text
    tests = ET.parse(LATEST / "junit.xml").getroot().findall(".//testcase")
    assert len(tests) >= 12
    assert (LATEST / "coverage.xml").exists()
    assert nodes()


def test_a_failing_test_is_told_at_once():
    run = Run.start("--reuse", "--", "sh", "-c", FAILING)

    assert run.code() == 1
    ended = float((LATEST / "ended").read_text())
    shown = next(at for at, line in run.lines if "1 failed" in line)
    judged = next(at for at, line in run.lines if "pytest ended with 1" in line)
    assert "assert 1 == 2" in run.text
    assert shown - ended < 3
    assert judged - ended < 3


# Last what the others depend on: the database forgets the catalog when it goes.
@pytest.mark.parametrize(
    ("service", "workload"),
    [
        ("jaeger", "deployment/jaeger"),
        ("localstack", "deployment/localstack"),
        ("polaris", "deployment/polaris"),
        ("postgresql", "statefulset/postgresql"),
    ],
)
def test_without_a_service_its_tests_are_red_and_no_others(service, workload):
    kubectl("scale", workload, "--replicas=0")
    kubectl("wait", "pod", f"--selector=app={service}", "--for=delete", "--timeout=60s")
    try:
        run = Run.start("--reuse", "--", "uv", "run", "pytest", "tests/")
        assert run.code() == 1, run.text
    finally:
        kubectl("scale", workload, "--replicas=1")
        kubectl("rollout", "status", workload, "--timeout=120s")

    red, green = set(), set()
    for case in ET.parse(LATEST / "junit.xml").getroot().iter("testcase"):
        needs = case.find("properties/property[@name='services']").get("value").split()
        failed = case.find("failure") is not None or case.find("error") is not None
        (red if failed else green).add((case.get("name"), service in needs))

    assert {name for name, needed in green if needed} == set()
    assert {name for name, needed in red if not needed} == set()
    assert red


def test_an_interruption_while_tests_run_leaves_nothing():
    Run.start("--down").code()
    run = Run.start("--", "sh", "-c", "echo the tests run; sleep 60")
    run.until(lambda: "the tests run" in run.text)
    run.process.send_signal(signal.SIGINT)

    assert run.code() == 130
    assert what_is_left() == []
