"""Test the chart on a real cluster: install, failures, upgrade, uninstall, reinstall.

The tests of a class run in order: each continues with the release of the previous one.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request

import pytest
import yaml
from chart_cluster import IMAGES, NAME, Cluster, run

CHART = "charts/floe-infrastructure"
WORKLOADS = ("statefulset/postgresql", "deployment/localstack", "deployment/polaris", "deployment/jaeger")


def wait_until_ready(cluster: Cluster, namespace: str, *workloads: str, revision: int = 1) -> None:
    for workload in workloads:
        cluster.kubectl("rollout", "status", "--namespace", namespace, workload, "--timeout=120s", seconds=150)
    job = f"job/polaris-bootstrap-{revision}"
    cluster.kubectl("wait", "--namespace", namespace, "--for=condition=complete", job, "--timeout=60s")


def uninstall(cluster: Cluster, namespace: str) -> None:
    """Uninstall the release and wait for its pods, because Helm only waits for objects that it created."""
    cluster.helm("uninstall", "floe-infra", "--namespace", namespace, "--wait", "--timeout=60s")
    wait = ["wait", "--namespace", namespace, "--for=delete", "pod", "--selector=app.kubernetes.io/part-of=floe"]
    cluster.kubectl(*wait, "--timeout=30s")


def secrets(cluster: Cluster, namespace: str) -> dict[str, dict[str, str]]:
    """Return the release's Secrets, decoded."""
    items = cluster.get("secrets", "--namespace", namespace, "--selector=app.kubernetes.io/part-of=floe")["items"]
    return {
        item["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in item["data"].items()}
        for item in items
    }


def query(cluster: Cluster, namespace: str, role: str, password: str, sql: str, *, database: str = "") -> str:
    """Query with the password from inside the pod, because policies deny the pod's outgoing connections."""
    uri = f"postgresql://{role}:{password}@127.0.0.1:5432/{database or role}"
    return cluster.exec(
        namespace, "statefulset/postgresql", "sh", "-c", f'exec psql -w "{uri}" -tAqc "$0"', sql
    ).strip()


# A Service's proxies learn of a ready pod with a delay; until then connections are refused.
ASK = """
import sys, time, urllib.error, urllib.parse, urllib.request
def ask(request):
    for left in reversed(range(50)):
        try:
            return urllib.request.urlopen(request, timeout=10).read().decode()
        except urllib.error.URLError as error:
            if not left or not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.2)
"""

S3 = f"""{ASK}
method, path = sys.argv[1:]
data = b"1" if method == "PUT" else None
print(ask(urllib.request.Request("http://localstack:4566" + path, method=method, data=data)))
"""


def s3(cluster: Cluster, namespace: str, method: str, path: str) -> str:
    """Return LocalStack's answer to a pod of the namespace."""
    return cluster.exec(namespace, "deployment/hostports", "python3", "-c", S3, method, path)


IAM = f"""{ASK}
# The credential's scope selects the service; signatures are not checked.
scope = "Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none"
body = urllib.parse.urlencode({{"Action": "GetRole", "Version": "2010-05-08", "RoleName": sys.argv[1]}}).encode()
request = urllib.request.Request("http://localstack:4566/", body, {{"Authorization": "AWS4-HMAC-SHA256 " + scope}})
print(ask(request))
"""


def role(cluster: Cluster, namespace: str, name: str) -> str:
    """Return LocalStack's description of an IAM role."""
    return cluster.exec(namespace, "deployment/hostports", "python3", "-c", IAM, name)


def node_address() -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return run("docker", "inspect", "--format", template, f"{NAME}-control-plane").strip()


def get(url: str) -> tuple[int, str]:
    """Return status and text of an answer, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def stand_in() -> bool:
    """Return whether the catalog of this machine's images is the stand-in."""
    return bool(yaml.safe_load(IMAGES.read_text())["polaris"]["standIn"])


class TestInstallWithTestValues:
    NAMESPACE = "floe"

    def install(self, cluster: Cluster, *more: str) -> str:
        values = ["--values", "testing/k8s/values-test.yaml", "--values", str(IMAGES)]
        return cluster.helm(
            "upgrade",
            "--install",
            "floe-infra",
            CHART,
            "--namespace",
            self.NAMESPACE,
            "--create-namespace",
            *values,
            *more,
        )

    def test_install_becomes_ready(self, cluster: Cluster, capsys: pytest.CaptureFixture[str]):
        start = time.monotonic()
        self.install(cluster)
        installed = time.monotonic() - start
        wait_until_ready(cluster, self.NAMESPACE, *WORKLOADS, "deployment/hostports")
        ready = time.monotonic() - start

        # The seed's own wait command.
        cluster.kubectl(
            "wait", "--for=condition=ready", "pod", "-l", "app=polaris", "--namespace=floe", "--timeout=120s"
        )
        with capsys.disabled():
            print(f"\nhelm {installed:.1f} s, everything ready {ready:.1f} s, including image pulls on an empty node")
        assert installed < 120, "helm waits for the database and the hooks"

    def test_install_restarts_no_container(self, cluster: Cluster):
        pods = cluster.get("pods", "--namespace", self.NAMESPACE)["items"]

        restarts = {
            f"{pod['metadata']['name']} {status['name']}": status["restartCount"]
            for pod in pods
            for status in pod["status"]["containerStatuses"]
        }
        assert len(restarts) == 6
        assert not {name: count for name, count in restarts.items() if count}

    def test_services_answer_by_name(self, cluster: Cluster):
        said = cluster.helm("test", "floe-infra", "--namespace", self.NAMESPACE, "--timeout=60s", "--logs")

        assert len([line for line in said.splitlines() if line.startswith("ok ")]) == 5
        assert not [
            item["metadata"]["name"]
            for item in cluster.get("pods", "--namespace", self.NAMESPACE, "--selector=app=test-services")["items"]
        ]

    def test_host_ports_forward_to_services(self):
        node = node_address()

        # Real Polaris requires a token.
        assert get(f"http://{node}:8181/api/catalog/v1/config?warehouse=floe")[0] == (200 if stand_in() else 401)
        assert "<Name>warehouse</Name>" in get(f"http://{node}:4566/warehouse?list-type=2")[1]
        assert json.loads(get(f"http://{node}:16686/api/services")[1])["errors"] is None

    def test_database_roles_access_only_their_own_database(self, cluster: Cluster):
        found = secrets(cluster, self.NAMESPACE)
        ask = "select current_user, pg_get_userbyid(datdba) from pg_database where datname = current_database()"
        for name in ("dagster", "polaris"):
            password = found[f"postgresql-{name}"]["password"]
            assert query(cluster, self.NAMESPACE, name, password, ask) == f"{name}|{name}"

        password = found["postgresql-dagster"]["password"]
        with pytest.raises(AssertionError, match='permission denied for database "polaris"'):
            query(cluster, self.NAMESPACE, "dagster", password, "select 1", database="polaris")
        with pytest.raises(AssertionError, match="password authentication failed"):
            query(cluster, self.NAMESPACE, "dagster", "wrong", "select 1")

    @pytest.mark.parametrize("where", ["-h127.0.0.1", "-h::1", "-h/var/run/postgresql"])
    def test_postgresql_requires_password_from_every_address(self, cluster: Cluster, where: str):
        """A port-forward uses the loopback address."""
        argv = ["psql", "-w", where, "-U", "postgres", "-tAqc", "select 1"]
        with pytest.raises(AssertionError, match="no password supplied"):
            cluster.exec(self.NAMESPACE, "statefulset/postgresql", *argv)

    def test_localstack_restart_recreates_buckets_and_role(self, cluster: Cluster):
        """LocalStack keeps nothing over a restart."""
        s3(cluster, self.NAMESPACE, "PUT", "/warehouse/a")
        assert "<Key>a</Key>" in s3(cluster, self.NAMESPACE, "GET", "/warehouse?list-type=2")

        cluster.kubectl("delete", "pod", "--namespace", self.NAMESPACE, "--selector=app=localstack")
        cluster.kubectl("rollout", "status", "--namespace", self.NAMESPACE, "deployment/localstack", "--timeout=60s")

        listing = s3(cluster, self.NAMESPACE, "GET", "/warehouse?list-type=2")
        assert "<Name>warehouse</Name>" in listing
        assert "<Key>" not in listing
        assert "arn:aws:iam::000000000000:role/floe-warehouse" in role(cluster, self.NAMESPACE, "floe-warehouse")

    def test_upgrade_keeps_passwords_and_reruns_bootstrap(self, cluster: Cluster):
        before = secrets(cluster, self.NAMESPACE)
        started = cluster.get("pod/postgresql-0", "--namespace", self.NAMESPACE)["metadata"]["uid"]

        self.install(cluster, "--set", "localstack.buckets={raw}")
        wait_until_ready(cluster, self.NAMESPACE, *WORKLOADS, revision=2)

        assert secrets(cluster, self.NAMESPACE) == before
        assert query(cluster, self.NAMESPACE, "dagster", before["postgresql-dagster"]["password"], "select 1") == "1"
        assert "<Name>raw</Name>" in s3(cluster, self.NAMESPACE, "GET", "/raw?list-type=2")
        jobs = cluster.get("jobs", "--namespace", self.NAMESPACE)["items"]
        assert [job["metadata"]["name"] for job in jobs] == ["polaris-bootstrap-2"]
        log = cluster.kubectl("logs", "--namespace", self.NAMESPACE, "job/polaris-bootstrap-2")
        assert "namespace default already exists" in log
        # Unchanged pods keep running.
        assert cluster.get("pod/postgresql-0", "--namespace", self.NAMESPACE)["metadata"]["uid"] == started

    def test_uninstall_leaves_nothing(self, cluster: Cluster):
        uninstall(cluster, self.NAMESPACE)

        kinds = "pods,services,deployments,statefulsets,jobs,secrets,configmaps,persistentvolumeclaims"
        left = cluster.get(kinds, "--namespace", self.NAMESPACE, "--selector=app.kubernetes.io/part-of=floe")["items"]
        assert not [f"{item['kind']}/{item['metadata']['name']}" for item in left]


class TestInstallWithDefaults:
    """Persistent volumes; images are mapped, because upstream's may not be available."""

    NAMESPACE = "kept"

    def install(self, cluster: Cluster) -> None:
        cluster.helm(
            "install", "floe-infra", CHART, "--namespace", self.NAMESPACE, "--create-namespace", "--values", str(IMAGES)
        )
        wait_until_ready(cluster, self.NAMESPACE, *WORKLOADS)

    def test_data_and_passwords_survive_uninstall(self, cluster: Cluster):
        self.install(cluster)
        before = secrets(cluster, self.NAMESPACE)
        password = before["postgresql-dagster"]["password"]
        query(cluster, self.NAMESPACE, "dagster", password, "create table kept as select 42 as answer")
        uninstall(cluster, self.NAMESPACE)

        self.install(cluster)

        again = secrets(cluster, self.NAMESPACE)
        kept = {name for name in before if name != "localstack-client"}
        assert {name: again[name] for name in kept} == {name: before[name] for name in kept}
        assert query(cluster, self.NAMESPACE, "dagster", password, "select answer from kept") == "42"
        log = cluster.kubectl("logs", "--namespace", self.NAMESPACE, "job/polaris-bootstrap-1")
        assert "namespace default already exists" in log

    def test_upgrade_and_rollback_keep_data(self, cluster: Cluster):
        password = secrets(cluster, self.NAMESPACE)["postgresql-dagster"]["password"]

        def work_mem() -> str:
            cluster.kubectl("rollout", "status", "-n", self.NAMESPACE, "statefulset/postgresql", "--timeout=120s")
            return query(cluster, self.NAMESPACE, "dagster", password, "show work_mem")

        before = work_mem()
        setting = ["--set-string", "postgresql.primary.settings.work_mem=9MB"]
        values = ["--namespace", self.NAMESPACE, "--values", str(IMAGES)]
        cluster.helm("upgrade", "floe-infra", CHART, *values, *setting)
        assert work_mem() == "9MB"
        cluster.helm("rollback", "floe-infra", "1", "--namespace", self.NAMESPACE)

        assert work_mem() == before
        assert query(cluster, self.NAMESPACE, "dagster", password, "select answer from kept") == "42"
        assert secrets(cluster, self.NAMESPACE)["postgresql-dagster"]["password"] == password

    def test_command_in_notes_deletes_kept_objects(self, cluster: Cluster):
        uninstall(cluster, self.NAMESPACE)
        label = "app.kubernetes.io/instance=floe-infra"
        cluster.kubectl("delete", "--namespace", self.NAMESPACE, "pvc,secret", "-l", label)

        left = cluster.get("pvc,secrets", "--namespace", self.NAMESPACE, "--selector=app.kubernetes.io/part-of=floe")
        assert not left["items"]
