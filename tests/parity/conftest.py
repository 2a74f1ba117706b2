"""Provide the scene: pods in a separate namespace, created before the first test of the run.

The pods need seconds to start, fail and restart, and do so while other tests run.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from cluster_api import core, runner_image
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from testing.base_classes.integration_test_base import location

HERE = Path(__file__).parent
ADMITTED = {"floe.dev/tests": "true"}  # admitted by the chart's network policies in values-test.yaml


@dataclass(kw_only=True)
class Scene:
    """The namespace of the parity tests, with methods to create and query it."""

    core: client.CoreV1Api
    floe: str
    image: str
    namespace: str = field(default_factory=lambda: f"test-parity-{uuid.uuid4().hex[:6]}")
    labels: dict[str, str] = field(default_factory=lambda: dict(ADMITTED))

    def create_all(self) -> None:
        """Create all objects, without waiting for the pods."""
        self.core.create_namespace({"metadata": {"name": self.namespace, "labels": self.labels}})
        self._bind_role()
        scripts = {path.name: path.read_text() for path in (HERE / "scene").glob("*.py")}
        carrier = {"kind": "ConfigMap", "metadata": {"name": "scene"}, "data": scripts}
        text = Template((HERE / "scene" / "scene.yaml").read_text())
        filled = text.substitute(IMAGE=self.image, NAMESPACE=self.namespace, FLOE=self.floe)
        create: dict[str, Callable[..., Any]] = {
            "ConfigMap": self.core.create_namespaced_config_map,
            "Pod": self.core.create_namespaced_pod,
            "Service": self.core.create_namespaced_service,
            "Secret": self.core.create_namespaced_secret,
            "NetworkPolicy": client.NetworkingV1Api().create_namespaced_network_policy,
        }
        # The namespace's ServiceAccount and the new permissions become effective with a delay.
        deadline = time.monotonic() + 10
        for item in [carrier, *yaml.safe_load(filled)["items"]]:
            while True:
                try:
                    create[item["kind"]](self.namespace, item)
                    break
                except ApiException as refused:
                    if refused.status != HTTPStatus.FORBIDDEN or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)

    def _bind_role(self) -> None:
        """Bind the runner's ServiceAccount to the role for isolated namespaces; a host's user needs no binding."""
        if location() == "host":
            return
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": {"name": "runner"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": os.environ["SEATRIAL_ISOLATED_ROLE"]},
            "subjects": [{"kind": "ServiceAccount", "name": "test-runner", "namespace": self.floe}],
        }
        client.RbacAuthorizationV1Api().create_namespaced_role_binding(self.namespace, binding)

    def remove(self) -> None:
        """Delete the namespace without waiting."""
        self.core.delete_namespace(self.namespace)

    def pod(self, name: str) -> Any:
        """Return the pod's current state."""
        return self.core.read_namespaced_pod(name, self.namespace)

    def until(self, name: str, condition: Callable[[Any], Any], *, within: float = 30.0) -> Any:
        """Return the pod once the condition holds."""
        deadline = time.monotonic() + within
        while not condition(pod := self.pod(name)):
            if time.monotonic() > deadline:
                pytest.fail(f"pod {name}: timed out after {within:g} s: {pod.status}", pytrace=False)
            time.sleep(0.2)
        return pod

    def reaches(self, name: str) -> bool:
        """Return whether the pod's address accepts a connection. The pod listens, so the network causes a failure."""
        address = self.until(name, self._listens).status.pod_ip
        try:
            socket.create_connection((address, 8080), timeout=2).close()
        except OSError:  # a blocked connection is rejected or times out
            return False
        return True

    def _listens(self, pod: Any) -> bool:
        if not (pod.status.pod_ip and ready_or_running(pod)):
            return False
        return "listening" in self.core.read_namespaced_pod_log(pod.metadata.name, self.namespace)


def ready_or_running(pod: Any) -> bool:
    return bool(pod.status.container_statuses and pod.status.container_statuses[0].state.running)


CREATED = pytest.StashKey[Scene | Exception]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    options = session.config.option
    # Not earlier: a run without these tests needs no scene, whose pods would take CPU time from other tests.
    items = (item for item in session.items if item.get_closest_marker("skip") is None)
    needed = any("scene" in getattr(item, "fixturenames", ()) for item in items)
    if needed and not options.collectonly and not getattr(options, "numprocesses", 0):
        session.config.stash[CREATED] = _create_scene()


def pytest_sessionfinish(session: pytest.Session) -> None:
    created = session.config.stash.get(CREATED, None)
    if isinstance(created, Scene):
        created.remove()


def _create_scene() -> Scene | Exception:
    """Return the scene, or the error that makes only its own tests fail."""
    floe = os.environ.get("FLOE_NAMESPACE") or "floe"
    try:
        scene = Scene(core=core(), floe=floe, image=runner_image(floe))
    except (ConfigException, ApiException, LookupError, HTTPError) as problem:
        return problem
    try:
        scene.create_all()
    except (ApiException, HTTPError) as problem:
        scene.remove()
        return problem
    return scene


@pytest.fixture(scope="session")
def scene(request: pytest.FixtureRequest) -> Scene:
    created = request.config.stash.get(CREATED, None) or _create_scene()
    request.config.stash[CREATED] = created
    if isinstance(created, Exception):
        pytest.fail(f"creating the scene failed: {created}", pytrace=False)
    return created


@pytest.fixture(scope="session")
def client_report(scene: Scene) -> dict[str, Any]:
    """Provide the client pod's report, once it has ended."""
    scene.until("client", lambda pod: pod.status.phase in {"Succeeded", "Failed"}, within=60)
    found: dict[str, Any] = json.loads(
        scene.core.read_namespaced_pod_log("client", scene.namespace, container="client")
    )
    return found


@pytest.fixture(scope="session")
def enforced(scene: Scene) -> None:
    """Skip if the cluster's network does not enforce policies, which is tested with a real connection."""
    if location() == "host":
        pytest.skip("not run: a host cannot reach pod addresses")
    if scene.reaches("unready"):
        pytest.skip("not run: policies are not enforced")


@pytest.fixture(scope="session")
def floe_pods() -> Callable[..., list[Any]]:
    """`floe_pods("polaris")`: the service's pods; `floe_pods()`: all of the chart's running pods."""

    def find(app: str = "") -> list[Any]:
        selector = f"app={app}" if app else "app.kubernetes.io/part-of=floe"
        found = core().list_namespaced_pod(os.environ.get("FLOE_NAMESPACE") or "floe", label_selector=selector).items
        alive = [pod for pod in found if pod.metadata.deletion_timestamp is None]
        assert alive, f"no pod with {selector}"
        return alive

    return find
