"""Provide a project with external charts and images: registries, a chart repository, manifests, Secrets.

All sources are real: an OCI registry on the loopback address, a registry with TLS and a password on the nodes' network,
and a chart repository on an HTTP server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from shop_project import ENVIRONMENT, NAME, Shop, containers, copy, docker

__all__ = ["TOKEN", "WORD", "DeliveryShop", "delivered", "until"]

PASSWORD = "sesame"
HTPASSWD = "team:$2b$04$aRLfpBsjPMx7CzoQvz/6HuyXTFHSkxicqKNXLMyLtSCeaauSZR0c2\n"
"""The password as a bcrypt hash."""

TOKEN = "the text of a build secret file"
WORD = "the text of a build secret variable"

BASE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: base}
data: {version: {{ .Chart.Version | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: base}
spec:
  selector: {matchLabels: {app: base}}
  template:
    metadata: {labels: {app: base}}
    spec:
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1
      imagePullSecrets: [{name: private}]
      containers:
        - name: base
          image: {{ .Values.image }}
          command: [python3, -m, http.server, "8080", --directory, /settings]
          readinessProbe: {httpGet: {path: /word, port: 8080}, periodSeconds: 1, timeoutSeconds: 10}
          resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
          volumeMounts: [{name: settings, mountPath: /settings}]
      volumes: [{name: settings, configMap: {name: settings}}]
"""
"""The pod starts with an image that requires a password, and with the object of a manifest."""

SECOND = """
{{- $base := lookup "apps/v1" "Deployment" .Release.Namespace "base" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: second}
data:
  version: {{ .Chart.Version | quote }}
  ready-before: {{ dig "status" "readyReplicas" 0 $base | quote }}
"""
"""Stores how many pods of the first release were ready when this release was installed."""

LATE = """
apiVersion: batch/v1
kind: Job
metadata:
  name: late
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
        - name: late
          image: foundry.invalid/python:3.13
          command: [sleep, {{ .Values.seconds | quote }}]
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: late}
data: {seconds: {{ .Values.seconds | quote }}}
"""
"""The duration of its hook is a value."""

MANIFEST = """
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {word: from a manifest}
"""

SUITE = """
import os


def test_chart_from_oci_registry():
    assert os.environ["BASE"] == "1.2.3"


def test_chart_from_repository():
    assert os.environ["SECOND"] == "0.1.0"


def test_second_release_was_installed_when_the_first_was_ready():
    assert os.environ["READY_BEFORE"] == "1"


def test_manifest_was_applied_before_the_release():
    assert os.environ["SETTING"] == "from a manifest"
"""

SECRETS = """
from pathlib import Path


def test_build_read_both_secrets():
    assert Path("/app/secrets.sha256").read_text().split()[::2] == [{token!r}, {word!r}]


def test_image_does_not_hold_the_secrets():
    assert not Path("/run/secrets/token").exists()
    assert not Path("/run/secrets/word").exists()
"""


@dataclass(frozen=True)
class DeliveryShop(Shop):
    """The project, with the settings that its commands need to reach the sources."""

    extra: Mapping[str, str]

    @property
    def env(self) -> dict[str, str]:
        return {**ENVIRONMENT, **self.extra}

    @property
    def helm_env(self) -> dict[str, str]:
        """The environment of Helm commands typed by a user."""
        return {**self.env, **json.loads(self("env", "--json").out)}

    def helm(self, *argv: str) -> str:
        """Run Helm on the cluster, as a user does."""
        return subprocess.run(
            ["helm", *argv], env=self.helm_env, cwd=self.root, capture_output=True, text=True, check=True
        ).stdout

    def kill_helm(self, *argv: str) -> None:
        """Run Helm until it waits for a hook, and kill it."""
        helm = subprocess.Popen(["helm", *argv], env=self.helm_env, cwd=self.root, stdout=subprocess.DEVNULL)
        try:
            until(lambda: self.release("late").startswith("pending-"), "a pending release")
        finally:
            helm.kill()
            helm.wait()

    def release(self, name: str) -> str:
        """Return the status of a release in Helm's words; empty if it does not exist."""
        argv = ["helm", "status", name, "--output", "json"]
        told = subprocess.run(argv, env=self.helm_env, capture_output=True, text=True, check=False).stdout
        return str(json.loads(told)["info"]["status"]) if told else ""


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} timed out after {seconds:g} s"
        time.sleep(0.2)


@contextmanager
def delivered(
    tmp_path_factory: pytest.TempPathFactory, name: str, *, extra: Mapping[str, str], secrets: bool
) -> Iterator[DeliveryShop]:
    """Start the sources, and bring up a project that needs all of them.

    Args:
        tmp_path_factory: pytest's.
        name: suffix of the cluster's name.
        extra: environment of the project's commands.
        secrets: whether to build the image with secrets, which requires BuildKit.
    """
    shop = DeliveryShop(copy(tmp_path_factory, name).root, {"SHOP_WORD": WORD, **extra})
    work = tmp_path_factory.mktemp(f"{name}-suppliers")
    private, charts = f"{NAME}-{name}-private", f"{NAME}-{name}-charts"
    try:
        with _chart_repository(work) as repository:
            oci = _oci_charts(work, charts)
            authority = _private_registry(work, private)
            _configure(shop, oci=oci, repository=repository, private=private, authority=authority)
            if secrets:
                _build_with_secrets(shop)
            try:
                shop("up")
                yield shop
            finally:
                shop("down")
            assert containers(f"{NAME}-{name}-") == [], "with added nodes"
    finally:
        for container in (charts, private):
            subprocess.run(["docker", "rm", "--force", "--volumes", container], capture_output=True, check=False)


def _configure(shop: DeliveryShop, *, oci: str, repository: str, private: str, authority: Path) -> None:
    """Write the configuration and its files."""
    root = shop.root
    (root / "manifests").mkdir()
    (root / "manifests" / "settings.yaml").write_text(MANIFEST)
    login = base64.b64encode(f"team:{PASSWORD}".encode()).decode()
    (root / "pull.json").write_text(json.dumps({"auths": {f"{private}:5000": {"auth": login}}}))
    _chart(root, "late", "0.1.0", LATE, {"seconds": 0})
    config = (root / "seatrial.toml").read_text()
    head, tail = re.split(r"(?=\[service\.web\])", config)
    releases = f"""
[[release]]
name = "base"
chart = "{oci}/base"
version = "1.2.3"
namespace = "shop"
manifests = ["manifests"]
pull-secrets = ["private=pull.json"]
set = {{ image = "{private}:5000/team/python:3.13" }}

[[release]]
name = "second"
chart = "second"
repository = "{repository}"
version = "0.1.0"
namespace = "shop"

[[release]]
name = "late"
chart = "late"
namespace = "shop"

"""
    variables = """
BASE = "configmap/base/version"
SECOND = "configmap/second/version"
READY_BEFORE = "configmap/second/ready-before"
SETTING = "configmap/settings/word"
"""
    (root / "seatrial.toml").write_text(head + releases.lstrip() + tail.rstrip() + variables)
    kind, _, _ = (root / "kind.yaml").read_text().partition("  - role: worker")
    mount = f"extraMounts: [{{hostPath: {authority}, containerPath: /etc/ssl/certs/delivery.crt, readOnly: true}}]"
    (root / "kind.yaml").write_text(re.sub(r"(    image: .*\n)", rf"\1    {mount}\n", kind))
    (root / "tests" / "test_delivery.py").write_text(SUITE)


def _build_with_secrets(shop: DeliveryShop) -> None:
    """Build the image with two secrets, of which it only contains digests."""
    (shop.root / "token.txt").write_text(TOKEN)
    keys = 'secrets = ["id=token,src=token.txt", "id=word,env=SHOP_WORD"]'
    shop.edit("seatrial.toml", 'name = "shop-test"\n', f'name = "shop-test"\n{keys}\n')
    mounts = " ".join(f"--mount=type=secret,id={name},required=true" for name in ("token", "word"))
    step = f"RUN {mounts} cd /run/secrets && sha256sum token word > /app/secrets.sha256"
    shop.edit("Dockerfile", "COPY pyproject.toml ./\n", f"{step}\nCOPY pyproject.toml ./\n")
    token, word = (hashlib.sha256(text.encode()).hexdigest() for text in (TOKEN, WORD))
    (shop.root / "tests" / "test_secrets.py").write_text(SECRETS.format(token=token, word=word))


def _chart(directory: Path, name: str, version: str, template: str, values: dict[str, object]) -> Path:
    """Write a chart."""
    chart = directory / name
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\n")
    (chart / "values.yaml").write_text(json.dumps(values))
    (chart / "templates" / "it.yaml").write_text(template)
    return chart


def _package(work: Path, name: str, version: str, template: str) -> Path:
    """Write and package a chart."""
    chart = _chart(work / version, name, version, template, {})
    _helm("package", str(chart), "--destination", str(work / "packages" / name))
    return work / "packages" / name / f"{name}-{version}.tgz"


def _helm(*argv: str) -> None:
    subprocess.run(["helm", *argv], env=ENVIRONMENT, capture_output=True, text=True, check=True)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _chart_repository(work: Path) -> Iterator[str]:
    """Serve a chart repository: packages and Helm's index."""
    directory = work / "packages" / "second"
    for version in ("0.1.0", "0.2.0"):
        _package(work, "second", version, SECOND)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory)))
    url = f"http://127.0.0.1:{server.server_port}"
    _helm("repo", "index", str(directory), "--url", url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


def _oci_charts(work: Path, container: str) -> str:
    """Start a registry without TLS and push charts to it; return its address."""
    docker("run", "--detach", "--name", container, "--publish", "127.0.0.1::5000", "foundry.invalid/registry:2")
    registry = f"localhost:{_port(container)}"
    _await(f"http://{registry}/v2/")
    for version in ("1.2.3", "1.3.0"):
        _helm("push", str(_package(work, "base", version, BASE)), f"oci://{registry}/charts", "--plain-http")
    return f"oci://{registry}/charts"


def _private_registry(work: Path, container: str) -> Path:
    """Start a registry with TLS and a password on the nodes' network, with one image; return its certificate."""
    directory = work / "private"
    directory.mkdir()
    certificate = directory / "tls.crt"
    names = f"subjectAltName=DNS:{container},DNS:localhost"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={container}"]
    argv += ["-addext", names, "-keyout", str(directory / "tls.key"), "-out", str(certificate)]
    subprocess.run(argv, capture_output=True, check=True)
    (directory / "htpasswd").write_text(HTPASSWD)
    directory.chmod(0o755)
    (directory / "tls.key").chmod(0o644)
    settings = {
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": "team",
        "REGISTRY_AUTH_HTPASSWD_PATH": "/private/htpasswd",
        "REGISTRY_HTTP_TLS_CERTIFICATE": "/private/tls.crt",
        "REGISTRY_HTTP_TLS_KEY": "/private/tls.key",
    }
    env = [word for key, value in settings.items() for word in ("--env", f"{key}={value}")]
    # kind creates this network with the first cluster.
    subprocess.run(["docker", "network", "create", "kind"], capture_output=True, check=False)
    argv = ["--network", "kind", "--publish", "127.0.0.1::5000", "--volume", f"{directory}:/private:ro", *env]
    docker("run", "--detach", "--name", container, *argv, "foundry.invalid/registry:2")
    registry = f"localhost:{_port(container)}"
    refused = _await(f"https://{registry}/v2/", certificate)
    assert refused == 401, "the registry must require a password"
    login = base64.b64encode(f"team:{PASSWORD}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {registry: {"auth": login}}}))
    image = f"{registry}/team/python:3.13"
    docker("tag", "foundry.invalid/python:3.13", image)
    try:
        docker("--config", str(directory), "push", "--quiet", image)
    finally:
        docker("rmi", image)
    return certificate


def _port(container: str) -> str:
    return docker("port", container, "5000/tcp").strip().rpartition(":")[2]


def _await(url: str, certificate: Path | None = None) -> int:
    """Wait until a registry answers, and return the status."""
    tls = ssl.create_default_context(cafile=certificate) if certificate else None
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5, context=tls) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.1)
