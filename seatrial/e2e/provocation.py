"""Describe how to provoke one cause of failures in a namespace of its own, and build the objects for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = [
    "LOOP",
    "PORT",
    "SERVE",
    "WAIT",
    "Obj",
    "Place",
    "Provocation",
    "deployment",
    "job",
    "obj",
    "pod",
    "script",
    "secret",
    "service",
    "spec_of",
]

Obj = dict[str, Any]

PYTHON: Final = "foundry.invalid/python:3.13"
PORT: Final = 8080
SERVE: Final = f"exec python3 -m http.server {PORT}"
WAIT: Final = "exec sleep 3600"
LOOP: Final = r'"restartCount": [2-9][^}]*"state": \{"waiting": \{"message": "[^}]*"reason": "CrashLoopBackOff"'
"""A container waits after its second or later restart."""

_KUBECTL_SECONDS: Final = 90


@dataclass(frozen=True)
class Place:
    """The namespace of a provocation.

    Attributes:
        nodes: the control plane, and the worker.
        env: variables of kubectl, helm and docker.
    """

    namespace: str
    nodes: tuple[str, str]
    env: Mapping[str, str]

    def kubectl(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl in the namespace and return what it prints."""
        done = subprocess.run(
            ["kubectl", "-n", self.namespace, *argv], env=dict(self.env), input=stdin, text=True, capture_output=True,
            timeout=_KUBECTL_SECONDS, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(argv)[:200]}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, *objects: Obj) -> None:
        """Create objects."""
        self.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def wait_ready(self, name: str) -> None:
        """Wait until a Deployment is available."""
        self.kubectl("wait", "--for=condition=Available", f"deployment/{name}", "--timeout=80s")


@dataclass(frozen=True)
class Provocation:
    """A way to provoke a cause.

    Attributes:
        name: name of the recording and of the namespace.
        shows: regular expression that the recorded JSON matches once the cause shows.
        objects: what is created in the namespace; those without a namespace are created in the cluster.
        act: is called once the objects exist.
        labels: labels of the namespace.
        connects: whether the recording has connections from the pod `tests`.
        usage: whether the recording has the CPU usage of containers.
        nodes: which nodes the recording has: all, with the requests of all pods, or those of its own pods.
        system: whether the recording has the cluster's DNS.
        settle: seconds that the objects keep changing after the cause shows.
    """

    name: str
    shows: str
    objects: Sequence[Obj] = ()
    act: Callable[[Place], object] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    connects: bool = False
    usage: bool = False
    nodes: Literal["", "all", "own"] = ""
    system: bool = False
    settle: float = 0.0


def obj(kind: str, name: str, api: str = "v1", /, **more: Any) -> Obj:
    """Return an object."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **more}


def script(text: str) -> Obj:
    """Return command fields that run a shell script."""
    return {"command": ["sh", "-c", text]}


def spec_of(*, image: str = PYTHON, pod: Mapping[str, Any] | None = None, **container: Any) -> Obj:
    """Return a pod spec with one container `app`, which sleeps unless it has a command."""
    main = {
        "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", **script(WAIT), **container,
    }  # fmt: skip
    return {
        "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "enableServiceLinks": False,
        "containers": [{key: value for key, value in main.items() if value is not None}], **(pod or {}),
    }  # fmt: skip


def pod(name: str = "api", **spec: Any) -> Obj:
    """Return a pod."""
    found = obj("Pod", name, spec=spec_of(**spec))
    found["metadata"]["labels"] = {"app": name}
    return found


def deployment(name: str = "api", *, replicas: int = 1, **spec: Any) -> Obj:
    """Return a Deployment with one container `app`."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec_of(**spec)}
    return obj(
        "Deployment", name, "apps/v1",
        spec={"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    )  # fmt: skip


def job(name: str = "migrate", *, annotations: Mapping[str, str] | None = None, limits: Obj, **spec: Any) -> Obj:
    """Return a Job."""
    template = {"spec": {"restartPolicy": "Never", **spec_of(**spec)}}
    found = obj("Job", name, "batch/v1", spec={**limits, "template": template})
    found["metadata"]["annotations"] = dict(annotations or {})
    return found


def service(name: str = "api", *, selector: str = "", port: int = PORT, target: int | str = PORT) -> Obj:
    """Return a Service in front of the pods of a Deployment."""
    ports = [{"port": port, "targetPort": target}]
    return obj("Service", name, spec={"selector": {"app": selector or name}, "ports": ports})


def secret(name: str, **values: str) -> Obj:
    """Return a Secret."""
    return obj("Secret", name, stringData=values)
