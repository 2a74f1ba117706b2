"""Too slow for the suite in the pod: failing migrations, rotated Secrets, what Kubernetes does to containers.

The tests share one release and follow each other.
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
# The node's ports belong to the other file's release.
PORTS = ("--set", "hostPorts.enabled=false")
VALUES = ("--values", "testing/k8s/values-test.yaml", "--values", str(IMAGES), *PORTS)
PROVOKED = list(yaml.safe_load_all((ROOT / "testing" / "parity" / "failures.yaml").read_text()))


def upgrade(cluster: Cluster, chart: Path = CHART) -> str:
    """Install the chart or bring it up to date; Helm waits for the hooks, and so does this."""
    return cluster.helm(
        "upgrade", "--install", "floe-infra", str(chart), "-n", NAMESPACE, "--create-namespace", *VALUES, seconds=320
    )


def query(cluster: Cluster, sql: str) -> str:
    """Ask the database dagster as its own role, from inside of its pod."""
    ask = 'PGPASSWORD=$(cat /run/roles/dagster) exec psql -h 127.0.0.1 -U dagster -tAqc "$0"'
    return cluster.exec(NAMESPACE, "statefulset/postgresql", "sh", "-c", ask, sql)


def until(question: Callable[[], Any], *, within: float) -> Any:
    """Return the first answer that is true."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not so within {within:g} s"
        time.sleep(1)
    return answer


@pytest.fixture(scope="module", autouse=True)
def _release(cluster: Cluster) -> Iterator[None]:
    upgrade(cluster)
    yield
    cluster.helm("uninstall", "floe-infra", "--namespace", NAMESPACE, "--wait", "--timeout=60s")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_hooks_are_done_when_helm_returns(cluster: Cluster):
    assert query(cluster, "select count(*) from floe.migration").strip() == "2"
    assert query(cluster, "select count(*) from floe.dataset").strip() == "3"
    jobs = cluster.get("jobs", "--namespace", NAMESPACE)["items"]
    assert {job["metadata"]["name"] for job in jobs} == {"polaris-bootstrap-1"}, "what succeeded is removed"


def test_a_failing_migration_stops_the_release_and_leaves_its_log(cluster: Cluster, tmp_path: Path):
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
    assert "002_retention was applied before" in log
    assert 'relation "floe.nowhere" does not exist' in log
    assert "003_broken" not in query(cluster, "select name from floe.migration")
    jobs = cluster.get("jobs", "--namespace", NAMESPACE)["items"]
    assert "seed-data" not in {job["metadata"]["name"] for job in jobs}, "what comes after it did not begin"


def test_mended_it_goes_on_where_it_stopped(cluster: Cluster):
    upgrade(cluster)

    assert query(cluster, "select count(*) from floe.migration").strip() == "2"


def test_a_rotated_secret_is_seen_as_a_file_within_two_minutes(cluster: Cluster, capsys: pytest.CaptureFixture[str]):
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
        print(f"\na rotated Secret was seen after {time.monotonic() - began:.0f} s")

    assert before != "rotated"
    # A variable is what it was when the container started.
    assert environment() == admin != "rotated"


@pytest.fixture(scope="module")
def provoked(cluster: Cluster) -> Iterator[None]:
    """Pods that need too much memory, crash, and fill their volume."""
    cluster.kubectl("apply", "--namespace", NAMESPACE, "--filename=-", stdin=yaml.safe_dump_all(PROVOKED))
    yield
    names = [pod["metadata"]["name"] for pod in PROVOKED]
    cluster.kubectl("delete", "pod", "--namespace", NAMESPACE, "--wait=false", *names)


@pytest.mark.usefixtures("provoked")
class TestWhatKubernetesDoesToContainers:
    @staticmethod
    def status(cluster: Cluster, pod: str) -> Any:
        return cluster.get("pod", pod, "--namespace", NAMESPACE)["status"]

    def test_out_of_memory(self, cluster: Cluster):
        until(lambda: self.status(cluster, "hungry")["phase"] == "Failed", within=60)

        (container,) = self.status(cluster, "hungry")["containerStatuses"]
        assert container["state"]["terminated"]["reason"] == "OOMKilled"
        assert container["state"]["terminated"]["exitCode"] == 137

    def test_crashes_again_and_again(self, cluster: Cluster):
        def waiting() -> Any:
            (container,) = self.status(cluster, "crashing").get("containerStatuses") or [{}]
            reason = container.get("state", {}).get("waiting", {}).get("reason")
            return container if reason == "CrashLoopBackOff" else None

        container = until(waiting, within=60)

        assert container["lastState"]["terminated"]["exitCode"] == 3
        log = cluster.kubectl("logs", "crashing", "--namespace", NAMESPACE, "--previous")
        assert log == "no configuration\n"

    def test_evicted(self, cluster: Cluster):
        status = until(
            lambda: (found := self.status(cluster, "greedy")).get("reason") == "Evicted" and found, within=180
        )

        assert status["phase"] == "Failed"
        assert "exceeds the limit" in status["message"]
