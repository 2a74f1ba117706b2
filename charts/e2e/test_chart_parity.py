"""Test failing migrations, rotated Secrets and container failures, which are too slow for the suite in the pod.

The tests share one release and run in order.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_cluster import IMAGES, ROOT, Cluster

NAMESPACE = "parity"
CHART = ROOT / "charts" / "floe-infrastructure"
# The node's ports belong to the release of the other file.
PORTS = ("--set", "hostPorts.enabled=false")
VALUES = ("--values", "testing/k8s/values-test.yaml", "--values", str(IMAGES), *PORTS)
PROVOKED = list(yaml.safe_load_all((ROOT / "testing" / "parity" / "failures.yaml").read_text()))


def upgrade(cluster: Cluster, chart: Path = CHART) -> str:
    """Install or upgrade the chart and wait for the hooks."""
    return cluster.helm(
        "upgrade", "--install", "floe-infra", str(chart), "-n", NAMESPACE, "--create-namespace", *VALUES, seconds=320
    )


def query(cluster: Cluster, sql: str) -> str:
    """Query the database dagster as its own role, from inside its pod."""
    ask = 'PGPASSWORD=$(cat /run/roles/dagster) exec psql -h 127.0.0.1 -U dagster -tAqc "$0"'
    return cluster.exec(NAMESPACE, "statefulset/postgresql", "sh", "-c", ask, sql)


def until(question: Callable[[], Any], *, within: float) -> Any:
    """Return the first true result."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        assert time.monotonic() < deadline, f"timed out after {within:g} s"
        time.sleep(1)
    return answer


@pytest.fixture(scope="module", autouse=True)
def _release(cluster: Cluster) -> Iterator[None]:
    upgrade(cluster)
    yield
    cluster.helm("uninstall", "floe-infra", "--namespace", NAMESPACE, "--wait", "--timeout=60s")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_hooks_are_complete_when_helm_returns(cluster: Cluster):
    assert query(cluster, "select count(*) from floe.migration").strip() == "2"
    assert query(cluster, "select count(*) from floe.dataset").strip() == "3"
    jobs = cluster.get("jobs", "--namespace", NAMESPACE)["items"]
    assert {job["metadata"]["name"] for job in jobs} == {"polaris-bootstrap-1"}, "successful Jobs are deleted"


def test_failing_migration_fails_release_and_keeps_log(cluster: Cluster, tmp_path: Path):
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    (chart / "files" / "migrations" / "003_broken.sql").write_text("alter table floe.nowhere add column x integer;\n")

    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"(?s)exit 1\b.*migrations"):
        upgrade(cluster, chart)

    assert time.monotonic() - began < 60
    state = json.loads(cluster.helm("status", "floe-infra", "--namespace", NAMESPACE, "--output=json"))
    assert state["info"]["status"] == "failed"
    log = cluster.kubectl("logs", "--namespace", NAMESPACE, "job/migrations", "--container=migrations")
    assert "002_retention already applied" in log
    assert 'relation "floe.nowhere" does not exist' in log
    assert "003_broken" not in query(cluster, "select name from floe.migration")
    jobs = cluster.get("jobs", "--namespace", NAMESPACE)["items"]
    assert "seed-data" not in {job["metadata"]["name"] for job in jobs}, "later hooks are not started"


def test_fixed_migration_continues(cluster: Cluster):
    upgrade(cluster)

    assert query(cluster, "select count(*) from floe.migration").strip() == "2"


def test_rotated_secret_reaches_file_within_120_s(cluster: Cluster, capsys: pytest.CaptureFixture[str]):
    def file() -> str:
        return cluster.exec(NAMESPACE, "statefulset/postgresql", "cat", "/run/roles/dagster")

    def environment() -> str:
        return cluster.exec(NAMESPACE, "statefulset/postgresql", "printenv", "POSTGRES_PASSWORD").strip()

    before, admin = file(), environment()
    new = base64.b64encode(b"rotated").decode()
    began = time.monotonic()
    for secret in ("postgresql-dagster", "postgresql-admin"):
        patch = json.dumps({"data": {"password": new}})
        cluster.kubectl("patch", "secret", secret, "--namespace", NAMESPACE, "--type=merge", f"--patch={patch}")
    until(lambda: file() == "rotated", within=120)
    with capsys.disabled():
        print(f"\nthe rotated Secret was visible after {time.monotonic() - began:.0f} s")

    assert before != "rotated"
    # A variable keeps its value from the container's start.
    assert environment() == admin != "rotated"


@pytest.fixture(scope="module")
def provoked(cluster: Cluster) -> Iterator[None]:
    """Provide pods that exceed their memory, crash, and fill their volume."""
    cluster.kubectl("apply", "--namespace", NAMESPACE, "--filename=-", stdin=yaml.safe_dump_all(PROVOKED))
    yield
    names = [pod["metadata"]["name"] for pod in PROVOKED]
    cluster.kubectl("delete", "pod", "--namespace", NAMESPACE, "--wait=false", *names)


@pytest.mark.usefixtures("provoked")
class TestContainerFailures:
    @staticmethod
    def status(cluster: Cluster, pod: str) -> Any:
        return cluster.get("pod", pod, "--namespace", NAMESPACE)["status"]

    def test_memory_hog_is_oom_killed(self, cluster: Cluster):
        until(lambda: self.status(cluster, "hungry")["phase"] == "Failed", within=60)

        (container,) = self.status(cluster, "hungry")["containerStatuses"]
        assert container["state"]["terminated"]["reason"] == "OOMKilled"
        assert container["state"]["terminated"]["exitCode"] == 137

    def test_crashing_container_is_in_crash_loop(self, cluster: Cluster):
        def waiting() -> Any:
            (container,) = self.status(cluster, "crashing").get("containerStatuses") or [{}]
            reason = container.get("state", {}).get("waiting", {}).get("reason")
            return container if reason == "CrashLoopBackOff" else None

        container = until(waiting, within=60)

        assert container["lastState"]["terminated"]["exitCode"] == 3
        log = cluster.kubectl("logs", "crashing", "--namespace", NAMESPACE, "--previous")
        assert log == "no configuration\n"

    def test_full_volume_evicts_pod(self, cluster: Cluster):
        status = until(
            lambda: (found := self.status(cluster, "greedy")).get("reason") == "Evicted" and found, within=180
        )

        assert status["phase"] == "Failed"
        assert "exceeds the limit" in status["message"]
