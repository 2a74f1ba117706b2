"""Provoke Services without an answer, programs with wrong settings, and services that fail because of another one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from provocation import LOOP, PORT, SERVE, Obj, Place, Provocation, deployment, obj, pod, script, secret, service

__all__ = ["SERVICES"]

POSTGRES: Final = "foundry.invalid/postgresql:17"
_READY: Final = r'"availableReplicas": 1'
_SERVES: Final = {**script(SERVE), "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}}
_DECLARES: Final = {"ports": [{"containerPort": PORT, "name": "http"}]}


def _policy(name: str, **spec: Any) -> Obj:
    return obj("NetworkPolicy", name, "networking.k8s.io/v1", spec=spec)


def _selecting(name: str) -> Obj:
    return {"matchLabels": {"app": name}}


_NETWORK: Final = (
    Provocation(
        "selector-mismatch", _READY, (deployment(**_SERVES), service(selector="shop-api")), connects=True, settle=3
    ),
    Provocation("no-pods", '"Service"', (service(),), connects=True, settle=15),
    Provocation("scaled-down", '"Service"', (deployment(replicas=0), service()), connects=True, settle=15),
    Provocation(
        "wrong-target-port", _READY, (deployment(**_SERVES, **_DECLARES), service(target=9090)), connects=True, settle=3
    ),
    Provocation(
        "target-port-name-missing", _READY, (deployment(**_SERVES, **_DECLARES), service(target="web")),
        connects=True, settle=3,
    ),
    Provocation(
        "listens-on-loopback", _READY, (deployment(**script(f"{SERVE} --bind 127.0.0.1"), **_DECLARES), service()),
        connects=True, settle=5,
    ),
    Provocation(
        "network-policy-ingress", _READY,
        (deployment(**_SERVES), service(),
         _policy("deny-all", podSelector=_selecting("api"), policyTypes=["Ingress"])), connects=True, settle=5,
    ),
    Provocation(
        "network-policy-egress", _READY,
        (deployment(**_SERVES), service(),
         _policy("tests-offline", podSelector=_selecting("tests"), policyTypes=["Egress"])), connects=True, settle=5,
    ),
)  # fmt: skip


def _database(**more: Any) -> tuple[Obj, ...]:
    """Return a database with the password `right` and its Service."""
    env = [{"name": "POSTGRES_PASSWORD", "value": "right"}]
    ready = {"readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 1}}
    return (
        deployment("database", **{"image": POSTGRES, "command": None, "env": env, **ready, **more}),
        service("database", port=5432, target=5432),
    )  # fmt: skip


def _client(user: str, password: str, database: str) -> Obj:
    env = [
        {"name": "PGHOST", "value": "database"}, {"name": "PGUSER", "value": user},
        {"name": "PGDATABASE", "value": database},
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
    ]  # fmt: skip
    return deployment("catalog", image=POSTGRES, env=env, command=["psql", "-c", "SELECT 1"])


def _with_database(user: str, password: str, database: str) -> Any:
    def act(place: Place) -> None:
        place.apply(*_database(), secret("login", password=password))
        place.wait_ready("database")
        place.apply(_client(user, password, database))

    return act


_TLS_SERVER: Final = """
set -e
openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/cert -subj /CN=payments \
  -addext subjectAltName=DNS:payments {dates}
exec openssl s_server -accept 8443 -key /tmp/key -cert /tmp/cert -www
"""
_TLS_CLIENT: Final = "import urllib.request; urllib.request.urlopen('https://payments:8443/', timeout=5)"


def _certificate(dates: str, *, trusted: bool) -> Any:
    """Return an action that creates a TLS server and a client that verifies its certificate."""

    def act(place: Place) -> None:
        ready = {"readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1}}
        place.apply(
            deployment("payments", **script(_TLS_SERVER.format(dates=dates)), **ready),
            service("payments", port=8443, target=8443),
        )
        place.wait_ready("payments")
        env = []
        if trusted:
            text = place.kubectl("exec", "deployment/payments", "--", "cat", "/tmp/cert")
            place.apply(obj("ConfigMap", "authority", data={"pem": text}))
            env = [{"name": "SSL_CERT_FILE", "value": "/authority/pem"}]
            volume = {"name": "authority", "configMap": {"name": "authority"}}
            more = {"pod": {"volumes": [volume]}, "volumeMounts": [{"name": "authority", "mountPath": "/authority"}]}
        else:
            more = {}
        place.apply(deployment("checkout", command=["python3", "-c", _TLS_CLIENT], env=env, **more))

    return act


_CONNECT: Final = (
    "import os, socket; h, p = os.environ['DATABASE_URL'].rpartition('@')[2].split('/')[0].split(':');"
    " socket.create_connection((h, int(p)), 2)"
)


def _needs(url: str) -> Obj:
    return {"env": [{"name": "DATABASE_URL", "value": url}], "command": ["python3", "-c", _CONNECT]}


_PROGRAMS: Final = (
    Provocation("wrong-credentials", LOOP, act=_with_database("postgres", "wrong", "postgres")),
    Provocation("database-missing", LOOP, act=_with_database("postgres", "right", "catalog")),
    Provocation(
        "certificate-expired", LOOP,
        act=_certificate("-not_before 20250101000000Z -not_after 20250201000000Z", trusted=True),
    ),
    Provocation("certificate-untrusted", LOOP, act=_certificate("-days 2", trusted=False)),
    Provocation("name-not-resolved", LOOP, (deployment("catalog", **_needs("postgresql://shop@databse:5432/shop")),)),
    Provocation(
        "address-in-use", LOOP,
        (deployment(**script(f"python3 -m http.server {PORT} & sleep 2; python3 -m http.server {PORT}; exit 1")),),
    ),
    Provocation(
        "segmentation-fault", LOOP, (deployment(command=["python3", "-c", "import ctypes; ctypes.string_at(0)"]),)
    ),
    Provocation(
        "cpu-throttled", _READY,
        (deployment(command=["python3", "-c", "while True: pass"], resources={"limits": {"cpu": "20m"}}),),
        usage=True, settle=15,
    ),
)  # fmt: skip

_TOO_BIG: Final = {"resources": {"requests": {"memory": "900Gi"}}}

_DEPENDENCIES: Final = (
    Provocation(
        "dependency-pending", LOOP,
        (*_database(**_TOO_BIG),
         deployment("catalog", **_needs("postgresql://shop@database:5432/shop")), service("catalog")),
        nodes="all",
    ),
    Provocation(
        "dependency-in-init-container", '"started": true',
        (*_database(image="localhost:5000/shop/postgres:17"),
         deployment("catalog", pod={"initContainers": [
             {"name": "wait-for-database", "image": "foundry.invalid/python:3.13",
              "env": [{"name": "DATABASE_HOST", "value": "database"}],
              **script("until python3 -c 'import os, socket;"
                       " socket.create_connection((os.environ[\"DATABASE_HOST\"], 5432), 1)'"
                       " 2>/dev/null; do echo database is not ready; sleep 1; done")}]}),
         service("catalog")), settle=25,
    ),
    Provocation(
        "dependency-chain", LOOP,
        (obj("ConfigMap", "catalog", data={"DATABASE_URL": "postgresql://shop@database:5432/shop"}),
         *_database(env=[
             {"name": "POSTGRES_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}]),
         deployment("catalog", envFrom=[{"configMapRef": {"name": "catalog"}}], command=["python3", "-c", _CONNECT]),
         service("catalog"),
         deployment("gateway", **_needs("http://none@catalog:8080/v1")), service("gateway")),
        settle=5,
    ),
)  # fmt: skip


def _lock_release(place: Place) -> None:
    """Kill Helm while it waits for a release, as a canceled CI job does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
        Path(folder, "templates").mkdir()
        never = deployment(readinessProbe={"exec": {"command": ["test", "-e", "/started"]}})
        Path(folder, "templates", "api.json").write_text(json.dumps(never))
        Path(folder, "templates", "api.json").rename(Path(folder, "templates", "api.yaml"))
        argv = ["helm", "install", "shop", folder, "--namespace", place.namespace, "--wait", "--timeout", "5m"]
        helm = subprocess.Popen(argv, env=dict(place.env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            place.kubectl("wait", "--for=create", "deployment/api", "--timeout=60s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(helm.pid, signal.SIGKILL)
            helm.wait()


def _stuck_pod(place: Place) -> None:
    """Delete a pod with a finalizer that no controller removes."""
    stuck = pod()
    stuck["metadata"]["finalizers"] = ["example.invalid/backup"]
    place.apply(stuck)
    place.kubectl("wait", "--for=condition=Ready", "pod/api", "--timeout=60s")
    place.kubectl("delete", "pod", "api", "--wait=false")
    time.sleep(20)


_OTHERS: Final = (
    Provocation("release-locked", "pending-install", act=_lock_release),
    Provocation("pod-terminating", "deletionTimestamp", act=_stuck_pod),
)

SERVICES: Final = (*_NETWORK, *_PROGRAMS, *_DEPENDENCIES, *_OTHERS)
