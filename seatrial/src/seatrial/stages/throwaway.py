"""A throw-away pod for a look around: the runner's place, rights and variables, without its tests.

It has the runner's labels, so that policies let it through as they do the tests, and an end of its own: what a power
cut leaves behind stops by itself, and the next one removes it.
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
from seatrial.model.names import LABEL_THROWAWAY
from seatrial.ports import Kube, Object
from seatrial.readiness.patience import Patience
from seatrial.readiness.pod import container_state, judge_pod
from seatrial.runner.pod_files import agent_argv
from seatrial.watching.log_evidence import not_ready_error
from seatrial.watching.watch_set import WatchSet

__all__ = ["CLIENTS", "CONTAINER", "LIFE", "throwaway", "throwaway_pod"]

CONTAINER: Final = "debug"
CLIENTS: Final = "/seatrial/lent/bin"
"""Where the clients are, all of them as soon as it is there: the container runs before."""

LIFE: Final = 3600
"""Seconds after which the pod ends by itself."""


def throwaway_pod(runner: Object, name: str, image: str = "") -> Object:
    """Return a pod like the runner. Pure.

    Args:
        runner: the runner pod as the cluster has it.
        name: of the new one.
        image: another image, which has to have the program `sleep`; empty: the runner's, with our clients.
    """
    spec, meta = runner["spec"], runner["metadata"]
    tests = next(each for each in spec["containers"] if each["name"] == "tests")
    keep = ("env", "resources", "securityContext", *(() if image else ("image", "imagePullPolicy", "workingDir")))
    container: dict[str, Any] = {
        "name": CONTAINER,
        **{key: tests[key] for key in keep if key in tests},
        **({"image": image} if image else {}),
        "command": ["sleep", str(LIFE)] if image else list(agent_argv("lend", CLIENTS)),
    }
    volumes: list[dict[str, Any]] = []
    if not image:
        # Only what is not the tests' own: a volume with their tree would be empty here.
        volumes = [each for each in spec["volumes"] if "configMap" in each or each["name"] == "state"]
        volumes.append({"name": "clients", "emptyDir": {}})
        names = [each["name"] for each in volumes]
        container["volumeMounts"] = [
            *(each for each in tests["volumeMounts"] if each["name"] in names),
            {"name": "clients", "mountPath": posixpath.dirname(CLIENTS)},
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
            "labels": {**meta["labels"], LABEL_THROWAWAY: "true"},
        },
        "spec": {
            **{key: spec[key] for key in same if key in spec},
            "activeDeadlineSeconds": LIFE,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": volumes,
        },
    }


@contextmanager
def throwaway(kube: Kube, runner: Object, image: str, deadline: Deadline) -> Iterator[str]:
    """Give the name of a throw-away pod that runs, and remove it afterwards, as those that ended before.

    Raises:
        NotReady: it will not run.
        OutOfTime: it does not run in time.
    """
    namespace = runner["metadata"]["namespace"]
    for old in kube.objects("v1/Pod", namespace, labels=f"{LABEL_THROWAWAY}=true"):
        if (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            kube.delete("v1/Pod", old["metadata"]["name"], namespace, grace=0)
    name = f"{CONTAINER}-{secrets.token_hex(4)}"
    try:
        kube.create(throwaway_pod(runner, name, image))
        _wait(kube, name, namespace, deadline)
        yield name
    finally:
        kube.delete("v1/Pod", name, namespace, grace=0)


def _wait(kube: Kube, name: str, namespace: str, deadline: Deadline) -> None:
    """Wait until the container runs, or it is clear that it never will."""
    watches, patience = WatchSet(kube, ("v1/Pod", "v1/Event"), (namespace,)), Patience()
    try:
        while not deadline.passed:
            pod = watches.snapshot.get("v1/Pod", namespace, name)
            if pod is not None and container_state(pod, CONTAINER).state == "running":
                return
            verdict = judge_pod(pod, watches.snapshot.warnings_about(pod)) if pod else None
            fatal, later = patience.look(verdict.suspicions if verdict else (), time.monotonic())
            if fatal:
                raise not_ready_error(fatal)
            watches.wait(min(deadline.left, 1.0 if later is None else max(0.1, later - time.monotonic())))
    finally:
        watches.close()
    raise OutOfTime(f"pod {name} does not run", hint=f"kubectl describe pod {name} -n {namespace}")
