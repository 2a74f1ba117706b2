"""Test the run script with a real engine, cluster and release. Takes minutes; tests run in the order of this file."""

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
    """The script in another process, and its output so far."""

    running: list[Run] = []  # noqa: RUF012

    def __init__(self, project: Path, *arguments: str, **environment: str) -> None:
        # A shell that starts pytest in the background makes it ignore SIGINT, and the script would inherit that.
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
        """Wait until a condition holds while the script runs."""
        deadline = time.monotonic() + within
        while not condition():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)

    def code(self, *, within: float = 600.0) -> int:
        """Wait for the script's end and return its exit code."""
        try:
            code = self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"timed out after {within:g} s:\n{self.text}")
        self._reader.join(timeout=10)
        return code

    @property
    def result(self) -> dict[str, Any]:
        """The `result.json` of the last run."""
        found: dict[str, Any] = json.loads((self.project / ".seatrial" / "runs" / "latest" / "result.json").read_text())
        return found


def docker(*arguments: str) -> list[str]:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.split()


def nodes() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}")


def volumes_of_nodes() -> set[str]:
    # A container that is just being created may not be ready for inspection.
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


def suite_source(does: str, body: str) -> str:
    mark = '@pytest.mark.service("kubernetes")'
    return f"import pytest\n\n\n{mark}\ndef test_that_{does}():\n    {body}\n"


def outcomes(report: Path) -> dict[tuple[str, str], str]:
    """Return the outcome of each test by module and name: `passed`, `failed` or the reason of the skip."""
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
def _no_resources_left(project: Path) -> Iterator[None]:
    seatrial(project, "down")
    networks_before, volumes_before = networks(), docker("volume", "ls", "--quiet")
    yield
    seatrial(project, "down")
    assert nodes() == []
    # kind's network belongs to all clusters; the registry's volume is a cache.
    others = docker("ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster")
    assert set(networks()) <= {*networks_before, *(["kind"] if others else [])}
    left = set(docker("volume", "ls", "--quiet")) - set(volumes_before)
    assert all(name.endswith(".seatrial-registry") for name in left) or others


@pytest.fixture(autouse=True)
def _stop_runs() -> Iterator[None]:
    yield
    while Run.running:
        run = Run.running.pop()
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            run.code()


def test_run_script_invalid_keep_value_exits_4(project: Path) -> None:
    run = Run(project, KEEP="sometimes")

    assert run.code() == 4
    assert "sometimes" in run.text
    assert "on-failure" in run.text


def test_run_script_foreign_cluster_is_refused_and_kept(project: Path) -> None:
    label = f"io.x-k8s.kind.cluster={CLUSTER}"
    (foreign,) = docker("create", "--label", label, "foundry.invalid/python:3.13")
    try:
        run = Run(project)

        assert run.code() == 4
        assert CLUSTER in run.text
        assert docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}") == [foreign]
    finally:
        docker("rm", "--force", foreign)


def test_run_script_interrupted_during_cluster_creation_leaves_nothing(project: Path) -> None:
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


def test_run_script_missing_image_is_named(project: Path) -> None:
    values = project / ".foundry" / "values-images.yaml"
    before = values.read_text()
    values.write_text(before + "\njaeger: {image: {repository: foundry.invalid/jaeger, tag: no-such-tag}}\n")
    try:
        run = Run(project)

        assert run.code() == 4
    finally:
        values.write_text(before)
    assert "image foundry.invalid/jaeger:no-such-tag is not on the engine" in run.text
    assert nodes() == []


def test_run_script_after_killed_run_succeeds(project: Path) -> None:
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


def test_suite_on_host_has_same_outcomes(project: Path) -> None:
    in_the_pod = outcomes(project / ".seatrial" / "runs" / "latest" / "junit.xml")
    report = project / ".seatrial" / "host.xml"
    argv = [project / ".venv" / "bin" / "python", "-m", "pytest", "tests/", "-p", "no:cacheprovider"]
    more = ["--override-ini=junit_family=xunit2", f"--junitxml={report}"]
    done = subprocess.run([*argv, *more], cwd=project, check=False, capture_output=True, text=True)

    on_the_host = outcomes(report)
    assert done.returncode == 0, done.stdout[-5000:]
    assert on_the_host.keys() == {name for name in in_the_pod if name[0].startswith("tests.")}
    differs = {name: said for name, said in on_the_host.items() if said != in_the_pod[name]}
    # A host cannot reach pods' addresses and does not have the pod's permissions.
    assert set(differs.values()) <= {"skipped: not run"}
    assert len(differs) <= 3


def test_seatrial_test_reuses_kept_cluster(project: Path) -> None:
    failing = project / "tests" / "test_that_fails.py"
    failing.write_text(suite_source("fails", "assert 1 == 2"))
    argv = [project / ".venv" / "bin" / "seatrial", "-C", project, "test", "tests/"]
    try:
        done = subprocess.run([*argv, "-k", "that_fails"], check=False, capture_output=True, text=True)
    finally:
        failing.unlink()

    assert done.returncode == 1, done.stderr
    assert "assert 1 == 2" in done.stdout

    # A deleted file is also deleted in the pod and does not affect later runs.
    done = subprocess.run([*argv, "--collect-only", "-q"], check=True, capture_output=True, text=True)
    assert "test_databases.py" in done.stdout
    assert "that_fails" not in done.stdout


# The last test of the kept cluster: a deleted database loses the catalog.
@pytest.mark.parametrize(
    ("service", "workload"),
    [
        ("jaeger", "deployment/jaeger"),
        ("localstack", "deployment/localstack"),
        ("polaris", "deployment/polaris"),
        ("postgresql", "statefulset/postgresql"),
    ],
)
def test_missing_service_fails_only_its_own_tests(project: Path, service: str, workload: str) -> None:
    kubectl(project, "scale", workload, "--replicas=0")
    kubectl(project, "wait", "pod", f"--selector=app={service}", "--for=delete", "--timeout=60s")
    try:
        # A plain pytest has no fixture `isolated_namespace`.
        plain = "uv run pytest tests/ -p no:cacheprovider --ignore=tests/parity/test_resources.py"
        pytest_ = f"{plain} --junitxml=/tmp/junit.xml >&2; cat /tmp/junit.xml"
        report = kubectl(project, "exec", "test-runner", "--container=tests", "--", "sh", "-c", pytest_)
    finally:
        kubectl(project, "scale", workload, "--replicas=1")
        kubectl(project, "rollout", "status", workload, "--timeout=120s")

    red, green = set(), set()
    for case in ET.fromstring(report).iter("testcase"):
        if case.find("skipped") is not None:
            continue  # a test that this environment cannot run, with or without the service
        services = case.find("properties/property[@name='services']")
        assert services is not None
        failed = case.find("failure") is not None or case.find("error") is not None
        (red if failed else green).add((case.get("name"), service in (services.get("value") or "").split()))

    assert {name for name, needed in green if needed} == set()
    assert {name for name, needed in red if not needed} == set()
    assert red


def test_run_script_interrupted_during_tests_leaves_nothing(project: Path) -> None:
    slow = project / "tests" / "test_that_takes_long.py"
    slow.write_text("import time\n" + suite_source("takes_long", "time.sleep(60)"))
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
