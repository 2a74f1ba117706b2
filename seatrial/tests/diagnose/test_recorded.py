"""The rules, applied to causes that were provoked on a real cluster, and to some that were derived from these."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from seatrial.diagnose.catalog import CAUSES

from .recorded_case import RECORDED, diagnosed, load


class Expected(NamedTuple):
    """The first finding in a recording: its cause, its subject (kind and begin of the name), words of its message."""

    cause: str
    subject: str
    words: tuple[str, ...]


EXPECTED: Final = {
    "image-not-found": Expected("ImageNotFound", "Pod/api-", ("localhost:5000/shop/api:2", "no such image")),
    "image-unauthorized": Expected("ImageUnauthorized", "Pod/api-", ("localhost:5001/api:2", "credentials")),
    "registry-refuses-connections": Expected(
        "RegistryUnreachable", "Pod/api-", ("localhost:5009/api:2", "5009", "connection refused")
    ),
    "registry-name-not-resolved": Expected(
        "RegistryUnreachable", "Pod/api-", ("registry.invalid/api:2", "lookup registry.invalid")
    ),
    "image-never-pull": Expected("ErrImageNeverPull", "Pod/api-", ("shop/api:2", "not on the node")),
    "invalid-image-name": Expected("InvalidImageName", "Pod/api-", ("shop/API:2", "lowercase")),
    "secret-key-missing": Expected(
        "CreateContainerConfigError", "Pod/api-", ("Secret database has no key password", "variable PASSWORD")
    ),
    "config-map-missing": Expected(
        "CreateContainerConfigError", "Pod/api-", ("ConfigMap settings does not exist", "variable REGION")
    ),
    "run-as-non-root": Expected("RunAsNonRoot", "Pod/api-", ("must not run as root",)),
    "seccomp-profile-missing": Expected("CreateContainerError", "Pod/api-", ("seccomp", "none.json")),
    "command-not-found": Expected("CommandNotFound", "Pod/api-", ("no program /usr/bin/shop-api",)),
    "command-not-executable": Expected("CommandNotFound", "Pod/api-", ("/etc/passwd is not executable",)),
    "mount-over-file": Expected("StartError", "Pod/api-", ("mounted at /etc/passwd", "not a directory")),
    "exec-format-error": Expected("ExecFormatError", "Pod/api-", ("exec format error",)),
    "post-start-hook": Expected("PostStartHookError", "Pod/api-", ("postStart hook of container app failed", "exit 9")),
    "crash": Expected("Crash", "Pod/api-", ("exit code 1",)),
    "exited": Expected("Exited", "Pod/api-", ("exit code 0",)),
    "oom-killed": Expected("OOMKilled", "Pod/api-", ("memory limit of 32Mi",)),
    "oom-killed-cgroup-v2": Expected("OOMKilled", "Pod/api-", ("container app exceeded its memory limit of 32Mi",)),
    "child-oom-killed": Expected("ChildOOMKilled", "Pod/api-", ("child process", "32Mi", "exit code 4")),
    "restarted": Expected("Restarted", "Pod/api-", ("restarted once", "exit code 5")),
    "init-container-failed": Expected(
        "InitContainerFailed", "Pod/api-", ("init container migrate", "exit code 2", "migration 17")
    ),
    "init-container-stuck": Expected(
        "InitContainerStuck", "Pod/api-", ("init container wait", "waiting for the license server")
    ),
    "readiness-probe-status": Expected("ReadinessProbe", "Pod/api-", ("GET http://:8080/health", "statuscode: 404")),
    "readiness-probe-refused": Expected("ReadinessProbe", "Pod/api-", ("connect :9090", "connection refused")),
    "readiness-probe-command": Expected("ReadinessProbe", "Pod/api-", ("exec sh -c", "replica lags 40 s")),
    "readiness-probe-timeout": Expected("ReadinessProbe", "Pod/api-", ("GET http://:8080/", "deadline exceeded")),
    "liveness-probe": Expected("LivenessProbe", "Pod/api-", ("GET http://:8080/live", "2 times", "statuscode: 404")),
    "startup-probe": Expected("StartupProbe", "Pod/api-", ("GET http://:8080/started", "2 times", "statuscode: 404")),
    "readiness-gate": Expected("ReadinessGate", "Pod/api-", ("example.invalid/load-balancer",)),
    "job-backoff-limit": Expected(
        "BackoffLimitExceeded", "Job/migrate", ("backoffLimit is 1", "cannot read s3 bucket")
    ),
    "job-deadline": Expected("DeadlineExceeded", "Job/migrate", ("activeDeadlineSeconds of 5",)),
    "hook-failed": Expected("HookFailed", "Job/migrate", ("hook pre-install", "migration 3 failed")),
    "pod-deadline": Expected("DeadlineExceeded", "Pod/api", ("activeDeadlineSeconds of 5",)),
    "insufficient-memory": Expected("InsufficientResources", "Pod/api-", ("900.0 GiB of memory", "are missing")),
    "insufficient-cpu": Expected("InsufficientResources", "Pod/api-", ("64 CPUs", "are missing")),
    "insufficient-gpu": Expected("InsufficientResources", "Pod/api-", ("1 nvidia.com/gpu", "no node offers")),
    "untolerated-taint": Expected(
        "UntoleratedTaint", "Pod/api-", ("node-role.kubernetes.io/control-plane:NoSchedule",)
    ),
    "node-selector": Expected("NodeSelector", "Pod/api-", ("disk=ssd",)),
    "anti-affinity": Expected("PodAntiAffinity", "Pod/api-", ("one pod for each node",)),
    "host-port-taken": Expected("HostPortTaken", "Pod/api-", ("host port 18080", "by pod api-")),
    "scheduling-gate": Expected("SchedulingGated", "Pod/api-", ("example.invalid/budget",)),
    "out-of-memory-on-node": Expected("InsufficientResources", "Pod/api", ("lack of memory",)),
    "preempted": Expected("Preempted", "Pod/reports-", ("higher priority",)),
    "storage-class-missing": Expected(
        "NoStorageClass", "PersistentVolumeClaim/data", ("StorageClass fast does not exist",)
    ),
    "no-storage-class": Expected("NoStorageClass", "PersistentVolumeClaim/data", ("no PersistentVolume matches",)),
    "provisioner-missing": Expected("ClaimPending", "PersistentVolumeClaim/data", ("1Gi", "example.invalid/none")),
    "claim-missing": Expected("ClaimNotFound", "Pod/api-", ('persistentvolumeclaim "data" not found',)),
    "secret-to-mount-missing": Expected("FailedMount", "Pod/api-", ("volume data", "Secret tls does not exist")),
    "config-map-key-to-mount-missing": Expected(
        "FailedMount", "Pod/api-", ("volume data", "ConfigMap settings has no key app.yaml")
    ),
    "host-path-missing": Expected("FailedMount", "Pod/api-", ("volume data", "/srv/none is not a directory")),
    "disk-full": Expected("DiskFull", "Pod/api-", ("No space left on device",)),
    "volume-limit": Expected("StorageLimit", "Pod/api-", ('volume "data"', '"2Mi"')),
    "ephemeral-storage-limit": Expected("StorageLimit", "Pod/api-", ("ephemeral", "2Mi")),
    "read-only-file-system": Expected("ReadOnlyFileSystem", "Pod/api-", ("Read-only file system", "/app.pid")),
    "permission-denied": Expected("PermissionDenied", "Pod/api-", ("Permission denied", "/var/lib/app.db")),
    "quota-exceeded": Expected(
        "QuotaExceeded", "Deployment/api", ("quota team", "requests.memory=512Mi", "requests.memory=1Gi")
    ),
    "quota-needs-limits": Expected("QuotaExceeded", "Deployment/api", ("quota team", "limits.memory")),
    "limit-range": Expected("LimitRange", "Deployment/api", ("maximum memory usage per Container is 256Mi", "512Mi")),
    "pod-security": Expected("PodSecurity", "Deployment/api", ("baseline", "privileged")),
    "policy-refused": Expected("PolicyRefused", "Deployment/api", ("replicas-at-most-one", "pods need the label team")),
    "service-account-missing": Expected("ServiceAccountNotFound", "Deployment/api", ("ServiceAccount shop",)),
    "priority-class-missing": Expected("PriorityClassNotFound", "Deployment/api", ("PriorityClass gold",)),
    "webhook-refused": Expected("WebhookRefused", "Deployment/api", ("images.example.invalid", "must come from")),
    "webhook-timeout": Expected("WebhookTimeout", "Deployment/api", ("images.example.invalid", "deadline exceeded")),
    "webhook-unreachable": Expected("WebhookUnreachable", "Deployment/api", ("images.example.invalid", "not found")),
    "webhook-without-pods": Expected("NoEndpoints", "Service/hook", ("no workload creates one",)),
    "selector-mismatch": Expected("SelectorMismatch", "Service/api", ("app=shop-api", "deployment/api", "app=api")),
    "no-pods": Expected("NoEndpoints", "Service/api", ("app=api", "no workload")),
    "scaled-down": Expected("ScaledDown", "Service/api", ("deployment/api is scaled to 0",)),
    "wrong-target-port": Expected("WrongTargetPort", "Service/api", ("9090", "8080")),
    "target-port-name-missing": Expected("WrongTargetPort", "Service/api", ("web", "http")),
    "listens-on-loopback": Expected("NotListening", "Service/api", ("port 8080",)),
    "network-policy-ingress": Expected("NetworkPolicy", "NetworkPolicy/deny-all", ("Ingress", "service api", "8080")),
    "network-policy-egress": Expected("NetworkPolicy", "NetworkPolicy/tests-offline", ("Egress", "service api")),
    "wrong-credentials": Expected("WrongCredentials", "Pod/catalog-", ("password authentication failed",)),
    "database-missing": Expected("DatabaseNotFound", "Pod/catalog-", ('database "catalog" does not exist',)),
    "certificate-expired": Expected("CertificateExpired", "Pod/checkout-", ("certificate has expired",)),
    "certificate-untrusted": Expected("CertificateUntrusted", "Pod/checkout-", ("self-signed certificate",)),
    "name-not-resolved": Expected(
        "NameNotResolved", "Pod/catalog-", ("DATABASE_URL names databse", "no Service has that name")
    ),
    "address-in-use": Expected("AddressInUse", "Pod/api-", ("Address already in use",)),
    "segmentation-fault": Expected("Crash", "Pod/api-", ("SIGSEGV", "139")),
    "cpu-throttled": Expected("CPUThrottled", "Pod/api-", ("CPU limit of 20m", "%")),
    "dependency-pending": Expected("InsufficientResources", "Pod/database-", ("900.0 GiB of memory",)),
    "dependency-in-init-container": Expected("ImageNotFound", "Pod/database-", ("localhost:5000/shop/postgres:17",)),
    "dependency-chain": Expected("CreateContainerConfigError", "Pod/database-", ("Secret login does not exist",)),
    "release-locked": Expected("ReleaseLocked", "Release/shop", ("pending-install",)),
    "pod-terminating": Expected("PodTerminating", "Pod/api", ("example.invalid/backup",)),
    "disk-pressure": Expected("DiskPressure", "Node/", ("DiskPressure is True",)),
    "memory-pressure": Expected("MemoryPressure", "Node/", ("MemoryPressure is True", "insufficient memory available")),
    "pid-pressure": Expected("PIDPressure", "Node/", ("PIDPressure is True", "insufficient PID available")),
    "node-not-ready": Expected("NodeNotReady", "Node/", ("Ready is",)),
    "dns-unavailable": Expected("DnsUnavailable", "Service/kube-dns", ("no name of a Service resolves",)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_first_finding_is_the_provoked_cause(name):
    expected, found = EXPECTED[name], diagnosed(name)

    assert found, "nothing found"
    first = found[0]
    assert (first.cause, first.cause in CAUSES) == (expected.cause, True), first
    assert f"{first.subject.kind}/{first.subject.name}".startswith(expected.subject)
    assert [word for word in expected.words if word not in first.message] == [], first.message
    assert first.hint


@pytest.mark.parametrize("name", EXPECTED)
def test_each_recording_has_one_finding(name):
    """What else is wrong is a symptom of the cause."""
    assert [f"{each.subject}: {each.cause}" for each in diagnosed(name)[1:]] == []


def test_each_recording_is_expected():
    assert {path.stem for path in RECORDED.glob("*.json")} == set(EXPECTED)


def test_derived_recordings_are_made_from_their_sources(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "e2e"))
    derived_causes = importlib.import_module("derived_causes")
    recording_text = importlib.import_module("recording").recording_text
    names = [path.stem for path in sorted(RECORDED.glob("*.json")) if "derived_from" in load(path.stem)]

    assert set(names) <= set(derived_causes.DERIVED)
    assert "oom-killed-cgroup-v2" in names
    for name in names:
        expected = recording_text(derived_causes.derived(name, RECORDED))
        assert (RECORDED / f"{name}.json").read_text() == expected, "run: python seatrial/e2e/derived_causes.py"


def test_recording_of_a_cluster_is_not_replaced_by_a_derived_one(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "e2e"))
    derived_causes = importlib.import_module("derived_causes")
    for name in ("disk-pressure", "child-oom-killed"):
        shutil.copy(RECORDED / f"{name}.json", tmp_path)
    (tmp_path / "memory-pressure.json").write_text('{"name": "memory-pressure"}')

    assert set(derived_causes.derive(tmp_path)) == {"oom-killed-cgroup-v2", "pid-pressure"}
    assert (tmp_path / "memory-pressure.json").read_text() == '{"name": "memory-pressure"}'


@pytest.mark.parametrize(
    ("name", "symptoms"),
    [
        ("dependency-pending", ("pod/catalog-", "DATABASE_URL names deployment/database")),
        ("dependency-in-init-container", ("pod/catalog-", "DATABASE_HOST names deployment/database")),
        ("dependency-chain", ("pod/gateway-", "DATABASE_URL names deployment/catalog, its DATABASE_URL names")),
    ],
)
def test_crash_because_of_a_dependency_is_a_symptom(name, symptoms):
    (only,) = diagnosed(name)

    assert [word for word in symptoms if not any(word in line for line in only.leads_to)] == [], only.leads_to


def test_recordings_have_no_values_of_secrets():
    for path in RECORDED.glob("*.json"):
        for obj in load(path.stem)["objects"]:
            if obj["kind"] == "Secret":
                assert set((obj.get("data") or {}).values()) <= {"removed"}, path.name
