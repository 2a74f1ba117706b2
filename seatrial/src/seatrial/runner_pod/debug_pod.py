"""Create the pod of `seatrial debug`: place, rights and variables of the runner pod, without the tests.

It has the labels of the runner pod, so policies treat both alike. It ends by itself after an hour: a pod that a power
cut left behind stops, and the next `seatrial debug` deletes it.
"""

from __future__ import annotations

import posixpath
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import OutOfTime
from seatrial.model.names import LABEL_DEBUG_POD
from seatrial.pod.agent.wire import CLIENTS_DIRECTORY
from seatrial.ports import Kube, Object
from seatrial.readiness.grace import GracePeriods
from seatrial.readiness.pod import container_state, judge_pod
from seatrial.runner.agent_files import agent_argv
from seatrial.watching.log_evidence import not_ready_error
from seatrial.watching.watch_set import WatchSet

__all__ = ["CONTAINER", "LIFETIME", "debug_pod", "debug_pod_object"]

CONTAINER: Final = "debug"
LIFETIME: Final = 3600
"""Seconds after which the pod ends by itself."""


def debug_pod_object(runner: Object, name: str, image: str = "") -> Object:
    """Return a pod like the runner pod, as an object. Pure.

    Args:
        runner: the runner pod as it is in the cluster.
        name: of the new pod.
        image: another image, which needs the program `sleep`; empty: that of the runner, with seatrial's clients.
    """
    spec, meta = runner["spec"], runner["metadata"]
    tests = next(each for each in spec["containers"] if each["name"] == "tests")
    keep = ("env", "resources", "securityContext", *(() if image else ("image", "imagePullPolicy", "workingDir")))
    container: dict[str, Any] = {
        "name": CONTAINER,
        **{key: tests[key] for key in keep if key in tests},
        **({"image": image} if image else {}),
        "command": ["sleep", str(LIFETIME)] if image else list(agent_argv("clients", CLIENTS_DIRECTORY)),
    }
    volumes: list[dict[str, Any]] = []
    if not image:
        # Without the volume of the working tree: it would be empty here.
        volumes = [each for each in spec["volumes"] if "configMap" in each or each["name"] == "state"]
        volumes.append({"name": "clients", "emptyDir": {}})
        names = [each["name"] for each in volumes]
        container["volumeMounts"] = [
            *(each for each in tests["volumeMounts"] if each["name"] in names),
            {"name": "clients", "mountPath": posixpath.dirname(CLIENTS_DIRECTORY)},
        ]
    same = (
        "serviceAccountName",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "imagePullSecrets",
        "securityContext",
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": {**meta["labels"], LABEL_DEBUG_POD: "true"},
        },
        "spec": {
            **{key: spec[key] for key in same if key in spec},
            "activeDeadlineSeconds": LIFETIME,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": volumes,
        },
    }


@contextmanager
def debug_pod(kube: Kube, runner: Object, image: str, deadline: Deadline) -> Iterator[str]:
    """Create a debug pod, yield its name once it runs, and delete it afterwards. Debug pods that ended are deleted too.

    Raises:
        NotReady: the pod cannot run.
        OutOfTime: the pod does not run in time.
    """
    namespace = runner["metadata"]["namespace"]
    for old in kube.objects("v1/Pod", namespace, labels=f"{LABEL_DEBUG_POD}=true"):
        if (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            kube.delete("v1/Pod", old["metadata"]["name"], namespace, grace=0)
    name = f"{CONTAINER}-{secrets.token_hex(4)}"
    try:
        kube.create(debug_pod_object(runner, name, image))
        _wait(kube, name, namespace, deadline)
        yield name
    finally:
        kube.delete("v1/Pod", name, namespace, grace=0)


def _wait(kube: Kube, name: str, namespace: str, deadline: Deadline) -> None:
    """Wait until the container runs, or cannot run any more."""
    watches, grace = WatchSet(kube, ("v1/Pod", "v1/Event"), (namespace,)), GracePeriods()
    try:
        while not deadline.passed:
            pod = watches.snapshot.get("v1/Pod", namespace, name)
            if pod is not None and container_state(pod, CONTAINER).state == "running":
                return
            judgment = judge_pod(pod, watches.snapshot.warnings_about(pod)) if pod else None
            fatal, later = grace.update(judgment.suspicions if judgment else (), time.monotonic())
            if fatal:
                raise not_ready_error(fatal)
            watches.wait(min(deadline.left, 1.0 if later is None else max(0.1, later - time.monotonic())))
    finally:
        watches.close()
    raise OutOfTime(f"pod {name} does not run", hint=f"kubectl describe pod {name} -n {namespace}")
