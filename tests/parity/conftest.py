"""The scene: pods in a namespace of their own, started before the first test of the whole run.

They need seconds to start, to fall sick and to be restarted; so they do that while other tests run.
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
ADMITTED = {"floe.dev/tests": "true"}  # by the chart's network policies, as values-test.yaml says


@dataclass(kw_only=True)
class Scene:
    """The namespace, and what it takes to make and to ask it."""

    core: client.CoreV1Api
    floe: str
    image: str
    namespace: str = field(default_factory=lambda: f"test-parity-{uuid.uuid4().hex[:6]}")
    labels: dict[str, str] = field(default_factory=lambda: dict(ADMITTED))

    def make(self) -> None:
        """Make everything; wait for none of it to run."""
        self.core.create_namespace({"metadata": {"name": self.namespace, "labels": self.labels}})
        self._take_rights()
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
        # The namespace's ServiceAccount, and rights that were just given, come a moment later.
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

    def _take_rights(self) -> None:
        """Bind the runner's ServiceAccount to the role for namespaces of tests; on a host one has rights already."""
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
        """Delete the namespace; nobody waits for that."""
        self.core.delete_namespace(self.namespace)

    def pod(self, name: str) -> Any:
        """Return the pod as it is now."""
        return self.core.read_namespaced_pod(name, self.namespace)

    def until(self, name: str, condition: Callable[[Any], Any], *, within: float = 30.0) -> Any:
        """Return the pod once the condition holds for it."""
        deadline = time.monotonic() + within
        while not condition(pod := self.pod(name)):
            if time.monotonic() > deadline:
                pytest.fail(f"pod {name} is not so after {within:g} s: {pod.status}", pytrace=False)
            time.sleep(0.2)
        return pod

    def reaches(self, name: str) -> bool:
        """Whether a connection to the pod's own address succeeds. It listens, so if none does, that is the network."""
        address = self.until(name, self._listens).status.pod_ip
        try:
            socket.create_connection((address, 8080), timeout=2).close()
        except OSError:  # a blocked connection is refused, or gets no answer at all
            return False
        return True

    def _listens(self, pod: Any) -> bool:
        if not (pod.status.pod_ip and ready_or_running(pod)):
            return False
        return "listening" in self.core.read_namespaced_pod_log(pod.metadata.name, self.namespace)


def ready_or_running(pod: Any) -> bool:
    return bool(pod.status.container_statuses and pod.status.container_statuses[0].state.running)


MADE = pytest.StashKey[Scene | Exception]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    options = session.config.option
    # Not earlier: what was deselected needs no scene, and its pods would take the processor from the tests that run.
    needed = any("scene" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and not options.collectonly and not getattr(options, "numprocesses", 0):
        session.config.stash[MADE] = _made()


def pytest_sessionfinish(session: pytest.Session) -> None:
    made = session.config.stash.get(MADE, None)
    if isinstance(made, Scene):
        made.remove()


def _made() -> Scene | Exception:
    """Return the scene, or why there is none: its own tests fail for that, and no others."""
    floe = os.environ.get("FLOE_NAMESPACE") or "floe"
    try:
        scene = Scene(core=core(), floe=floe, image=runner_image(floe))
    except (ConfigException, ApiException, LookupError, HTTPError) as problem:
        return problem
    try:
        scene.make()
    except (ApiException, HTTPError) as problem:
        scene.remove()
        return problem
    return scene


@pytest.fixture(scope="session")
def scene(request: pytest.FixtureRequest) -> Scene:
    made = request.config.stash.get(MADE, None) or _made()
    request.config.stash[MADE] = made
    if isinstance(made, Exception):
        pytest.fail(f"the pods of these tests could not be made: {made}", pytrace=False)
    return made


@pytest.fixture(scope="session")
def said(scene: Scene) -> dict[str, Any]:
    """What the client said, once it ended."""
    scene.until("client", lambda pod: pod.status.phase in {"Succeeded", "Failed"}, within=60)
    found: dict[str, Any] = json.loads(
        scene.core.read_namespaced_pod_log("client", scene.namespace, container="client")
    )
    return found


@pytest.fixture(scope="session")
def enforced(scene: Scene) -> None:
    """Skip where the cluster's network accepts policies and does nothing: found out with a real connection."""
    if location() == "host":
        pytest.skip("not run: pods' addresses are not reached from a host")
    if scene.reaches("unready"):
        pytest.skip("not run: not enforced here")


@pytest.fixture(scope="session")
def floe_pods() -> Callable[..., list[Any]]:
    """`floe_pods("polaris")`: the service's pods; `floe_pods()`: all of the chart's that still run."""

    def find(app: str = "") -> list[Any]:
        selector = f"app={app}" if app else "app.kubernetes.io/part-of=floe"
        found = core().list_namespaced_pod(os.environ.get("FLOE_NAMESPACE") or "floe", label_selector=selector).items
        alive = [pod for pod in found if pod.metadata.deletion_timestamp is None]
        assert alive, f"there is no pod with {selector}"
        return alive

    return find
