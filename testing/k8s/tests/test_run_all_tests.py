"""The run script for real: engine, cluster, release, tests in a pod. Some minutes; in the order of this file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CLUSTER = "floe-test"
TESTS_AT_LEAST = 12
MEMORY_AT_MOST = 4 * 10**9
IMAGES_AT_MOST = 10 * 10**9
VALUES = "testing/k8s/values-test.yaml"


class Run:
    """The script in another process, and what it has printed so far."""

    running: list[Run] = []  # noqa: RUF012

    def __init__(self, project: Path, *arguments: str, **environment: str) -> None:
        # Whoever started pytest in the background ignores interrupts, and so would the script.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.project = project
        self.text = ""
        self.process = subprocess.Popen(
            [project / "testing" / "k8s" / "scripts" / "run-all-tests.sh", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "KEEP"} | environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.running.append(self)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
        self.process.stdout.close()

    def until(self, condition: Callable[[], object], *, within: float = 300.0) -> None:
        """Wait until something is so while the script runs."""
        deadline = time.monotonic() + within
        while not condition():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)

    def code(self, *, within: float = 600.0) -> int:
        """Wait for its end and return its exit code."""
        try:
            code = self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"not done after {within:g} s:\n{self.text}")
        self._reader.join(timeout=10)
        return code

    @property
    def result(self) -> dict[str, Any]:
        """What the last run left as `result.json`."""
        found: dict[str, Any] = json.loads((self.project / ".seatrial" / "runs" / "latest" / "result.json").read_text())
        return found


def docker(*arguments: str) -> list[str]:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.split()


def nodes() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}")


def volumes_of_nodes() -> set[str]:
    # A container that is just being made may not be there to be inspected.
    template = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    argv = ["docker", "inspect", "--format", template, *nodes()]
    return set(subprocess.run(argv, check=False, capture_output=True, text=True).stdout.split())


def seatrial(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [project / ".venv" / "bin" / "seatrial", "-C", project, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True)


def kubectl(project: Path, *arguments: str) -> str:
    environment = os.environ | json.loads(seatrial(project, "env", "--json").stdout)
    argv = ["kubectl", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=180, env=environment).stdout


def a_test_that(does: str, body: str) -> str:
    mark = '@pytest.mark.service("kubernetes")'
    return f"import pytest\n\n\n{mark}\ndef test_that_{does}():\n    {body}\n"


def outcomes(report: Path) -> dict[tuple[str, str], str]:
    """Return what came of each test: its module and name to `passed`, `failed` or why it was skipped."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        said = "passed" if case.find("failure") is None and case.find("error") is None else "failed"
        if skipped is not None:
            said = f"skipped: {(skipped.get('message') or '').partition(':')[0]}"
        found[case.get("classname", ""), case.get("name", "")] = said
    return found


def networks() -> list[str]:
    return docker("network", "ls", "--format", "{{.Name}}")


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(project: Path) -> Iterator[None]:
    seatrial(project, "down")
    networks_before, volumes_before = networks(), docker("volume", "ls", "--quiet")
    yield
    seatrial(project, "down")
    assert nodes() == []
    # kind's network belongs to all its clusters; the registry's volume is a cache that stays.
    others = docker("ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster")
    assert set(networks()) <= {*networks_before, *(["kind"] if others else [])}
    left = set(docker("volume", "ls", "--quiet")) - set(volumes_before)
    assert all(name.endswith(".seatrial-registry") for name in left) or others


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test() -> Iterator[None]:
    yield
    while Run.running:
        run = Run.running.pop()
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            run.code()


def test_a_wrong_word_is_refused_before_anything_is_made(project: Path) -> None:
    run = Run(project, KEEP="sometimes")

    assert run.code() == 4
    assert "sometimes" in run.text
    assert "on-failure" in run.text


def test_a_cluster_of_somebody_elses_is_refused_and_left_alone(project: Path) -> None:
    label = f"io.x-k8s.kind.cluster={CLUSTER}"
    (foreign,) = docker("create", "--label", label, "foundry.invalid/python:3.13")
    try:
        run = Run(project)

        assert run.code() == 4
        assert CLUSTER in run.text
        assert docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}") == [foreign]
    finally:
        docker("rm", "--force", foreign)


def test_an_interruption_while_the_cluster_is_made_leaves_nothing(project: Path) -> None:
    run = Run(project)
    run.until(volumes_of_nodes)
    volumes = volumes_of_nodes()
    run.process.send_signal(signal.SIGINT)
    run.until(lambda: "teardown" in run.text, within=30)
    run.process.send_signal(signal.SIGINT)

    assert run.code() == 130
    assert Run(project, "--help").code() == 0
    seatrial(project, "clean")
    assert nodes() == []
    assert volumes
    assert not volumes & set(docker("volume", "ls", "--quiet"))


def test_an_image_that_does_not_exist_is_named(project: Path) -> None:
    values = project / ".foundry" / "values-images.yaml"
    before = values.read_text()
    values.write_text(before + "\njaeger: {image: {repository: foundry.invalid/jaeger, tag: no-such-tag}}\n")
    try:
        run = Run(project)

        assert run.code() == 10
    finally:
        values.write_text(before)
    assert "foundry.invalid/jaeger:no-such-tag" in run.text
    assert nodes() == []


def test_after_a_killed_run_the_next_one_works(project: Path) -> None:
    killed = Run(project)
    killed.until(nodes)
    killed.process.kill()
    killed.code()
    assert nodes()

    run = Run(project, KEEP="always")

    assert run.code() == 0, run.text
    assert run.result["counts"]["passed"] >= TESTS_AT_LEAST
    assert 0 < run.result["peak_memory"] <= MEMORY_AT_MOST
    assert 0 < run.result["images_size"] <= IMAGES_AT_MOST
    assert [image["stands_in_for"] for image in run.result["images"] if image["stands_in_for"]]
    assert nodes()


def test_the_same_suite_from_the_host(project: Path) -> None:
    in_the_pod = outcomes(project / ".seatrial" / "runs" / "latest" / "junit.xml")
    report = project / ".seatrial" / "host.xml"
    argv = [project / ".venv" / "bin" / "python", "-m", "pytest", "tests/", "-p", "no:cacheprovider"]
    more = ["--override-ini=junit_family=xunit2", f"--junitxml={report}"]
    done = subprocess.run([*argv, *more], cwd=project, check=False, capture_output=True, text=True)

    on_the_host = outcomes(report)
    assert done.returncode == 0, done.stdout[-5000:]
    assert on_the_host.keys() == {name for name in in_the_pod if name[0].startswith("tests.")}
    differs = {name: said for name, said in on_the_host.items() if said != in_the_pod[name]}
    # What a host cannot do at all: pods' addresses, and a pod's own rights.
    assert set(differs.values()) <= {"skipped: not run"}
    assert len(differs) <= 3


def test_the_kept_cluster_is_there_to_go_on_in(project: Path) -> None:
    failing = project / "tests" / "test_that_fails.py"
    failing.write_text(a_test_that("fails", "assert 1 == 2"))
    argv = [project / ".venv" / "bin" / "seatrial", "-C", project, "test", "tests/"]
    try:
        done = subprocess.run([*argv, "-k", "that_fails"], check=False, capture_output=True, text=True)
    finally:
        failing.unlink()

    assert done.returncode == 1, done.stderr
    assert "assert 1 == 2" in done.stdout

    # What is gone here is gone there, too, and does not disturb the next ones.
    done = subprocess.run([*argv, "--collect-only", "-q"], check=True, capture_output=True, text=True)
    assert "test_databases.py" in done.stdout
    assert "that_fails" not in done.stdout


# Last of the kept cluster: the database forgets the catalog when it goes.
@pytest.mark.parametrize(
    ("service", "workload"),
    [
        ("jaeger", "deployment/jaeger"),
        ("localstack", "deployment/localstack"),
        ("polaris", "deployment/polaris"),
        ("postgresql", "statefulset/postgresql"),
    ],
)
def test_without_a_service_its_tests_are_red_and_no_others(project: Path, service: str, workload: str) -> None:
    kubectl(project, "scale", workload, "--replicas=0")
    kubectl(project, "wait", "pod", f"--selector=app={service}", "--for=delete", "--timeout=60s")
    try:
        pytest_ = "uv run pytest tests/ -p no:cacheprovider --junitxml=/tmp/junit.xml >&2; cat /tmp/junit.xml"
        report = kubectl(project, "exec", "test-runner", "--container=tests", "--", "sh", "-c", pytest_)
    finally:
        kubectl(project, "scale", workload, "--replicas=1")
        kubectl(project, "rollout", "status", workload, "--timeout=120s")

    red, green = set(), set()
    for case in ET.fromstring(report).iter("testcase"):
        if case.find("skipped") is not None:
            continue  # what this environment cannot run, with or without the service
        services = case.find("properties/property[@name='services']")
        assert services is not None
        failed = case.find("failure") is not None or case.find("error") is not None
        (red if failed else green).add((case.get("name"), service in (services.get("value") or "").split()))

    assert {name for name, needed in green if needed} == set()
    assert {name for name, needed in red if not needed} == set()
    assert red


def test_an_interruption_while_tests_run_leaves_nothing(project: Path) -> None:
    slow = project / "tests" / "test_that_takes_long.py"
    slow.write_text("import time\n" + a_test_that("takes_long", "time.sleep(60)"))
    try:
        run = Run(project, "tests/test_that_takes_long.py")
        run.until(lambda: "test_that_takes_long.py::test_that_takes_long" in run.text or "1 collected" in run.text)
        time.sleep(1)
        run.process.send_signal(signal.SIGINT)
        code = run.code()
    finally:
        slow.unlink()

    assert code == 130
    assert nodes() == []
