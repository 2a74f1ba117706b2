"""Build the runner pod and the objects that it needs. Pure.

Container `tests` waits for requests and runs them. Container `keeper` outlives it and mounts the same volumes, so the
reports and files of the tests survive it. Folders that changed files are sent to are copied from the image to a volume
when the pod starts: then their owner in the image does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from seatrial.model.spec import RunnerSpec
from seatrial.namespaces.admission_policies import isolation_policies, isolation_rights
from seatrial.pod.agent.wire import AGENT_DIRECTORY, DEFAULT_STATE_DIRECTORY, SEED_DIRECTORY, STATE_VARIABLE
from seatrial.pod.fixtures.location import LOCATION_VARIABLE
from seatrial.ports import LocalImage, Object
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.fixture_settings import isolation_role

__all__ = ["DIGEST", "PodInputs", "runner_objects", "runner_policies"]

DIGEST: Final = "seatrial.dev/digest"
"""Annotation of the pod: digest over everything that it was created from."""

ROLE_VARIABLE: Final = "SEATRIAL_ISOLATED_ROLE"
"""Variable of the tests: the ClusterRole that they may bind their ServiceAccount to in the namespaces they create."""

_USER: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInputs:
    """Inputs of the runner pod that are not in its configuration.

    Attributes:
        image: reference that the cluster pulls.
        digest: of its manifest; empty if it was not pushed.
        local: the same image on the engine; None if it is not there.
        agent: file name to text of the agent.
        directories: folders below the working directory that changed files may be sent to.
        labels: of all objects.
        pull_secrets: names of the Secrets that the image is pulled with.
        shared: whether the cluster is a shared one.
    """

    image: str
    digest: str
    local: LocalImage | None
    agent: Mapping[str, str]
    directories: tuple[str, ...]
    labels: Mapping[str, str]
    pull_secrets: tuple[str, ...] = ()
    shared: bool = False


def runner_policies(spec: RunnerSpec, inputs: PodInputs) -> list[Object]:
    """Return the policies that must be in force before the runner gets its rights."""
    return isolation_policies(spec, inputs.labels, shared=inputs.shared) if spec.isolated_namespaces else []


def runner_objects(spec: RunnerSpec, inputs: PodInputs) -> list[Object]:
    """Return all objects of the runner in the order of their creation, after its policies; the pod is the last."""
    meta = {"namespace": spec.namespace, "labels": {**inputs.labels, "app": spec.pod}}
    account = spec.service_account or spec.pod
    found: list[Object] = []
    if not spec.service_account:
        found.append(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {**meta, "name": account},
                "automountServiceAccountToken": False,
            }
        )
    if spec.rules:
        rbac = "rbac.authorization.k8s.io"
        rules = [{key: list(values) for key, values in rule.items()} for rule in spec.rules]
        subject = {"kind": "ServiceAccount", "name": account, "namespace": spec.namespace}
        role = {"apiGroup": rbac, "kind": "Role", "name": spec.pod}
        found += [
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {**meta, "name": spec.pod}, "rules": rules},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": {**meta, "name": spec.pod},
                "roleRef": role,
                "subjects": [subject],
            },
        ]
    if spec.isolated_namespaces:
        found += isolation_rights(spec, inputs.labels)
    agent = f"{spec.pod}-agent"
    found.append(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "name": agent}, "data": dict(inputs.agent)}
    )
    pod_spec = _pod_spec(spec, inputs, account, agent)
    # A running pod does not get other rights, so changed rights need a new pod. Labels are not part of the inputs.
    others = [{**obj, "metadata": obj["metadata"]["name"]} for obj in (*runner_policies(spec, inputs), *found)]
    digest = hashlib.sha256(json.dumps([pod_spec, others, inputs.digest], sort_keys=True).encode()).hexdigest()
    annotations = {DIGEST: digest, "kubectl.kubernetes.io/default-container": "tests"}
    found.append(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**meta, "name": spec.pod, "annotations": annotations},
            "spec": pod_spec,
        }
    )
    return found


def _pod_spec(spec: RunnerSpec, inputs: PodInputs, account: str, agent: str) -> dict[str, Any]:
    workdir = spec.workdir or (inputs.local.workdir if inputs.local else "")
    user = _numeric_user(inputs.local)
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    base: dict[str, Any] = {"image": inputs.image, "imagePullPolicy": "IfNotPresent", "securityContext": confined}
    if workdir:
        base["workingDir"] = workdir
    mounts: list[dict[str, Any]] = [
        {"name": "agent", "mountPath": AGENT_DIRECTORY, "readOnly": True},
        {"name": "state", "mountPath": DEFAULT_STATE_DIRECTORY},
    ]
    trees = [
        {"name": "tree", "mountPath": f"{workdir.rstrip('/')}/{directory}", "subPath": directory}
        for directory in inputs.directories
    ]
    env = [
        {"name": LOCATION_VARIABLE, "value": "pod"},
        {"name": STATE_VARIABLE, "value": DEFAULT_STATE_DIRECTORY},
        {"name": "HOME", "value": DEFAULT_STATE_DIRECTORY},
        *([{"name": ROLE_VARIABLE, "value": isolation_role(spec)}] if spec.isolated_namespaces else []),
        *_environment(spec),
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "agent", "configMap": {"name": agent}},
        {"name": "state", "emptyDir": {}},
        *([{"name": "tree", "emptyDir": {}}] if trees else []),
    ]
    seed = {
        **base,
        "name": "seed",
        "command": [*agent_argv("seed", SEED_DIRECTORY, *inputs.directories)],
        "volumeMounts": [*mounts, {"name": "tree", "mountPath": SEED_DIRECTORY}],
        "resources": _small("256Mi"),
    }
    return {
        **({"imagePullSecrets": [{"name": each} for each in inputs.pull_secrets]} if inputs.pull_secrets else {}),
        "serviceAccountName": account,
        "automountServiceAccountToken": spec.has_rights,
        # Otherwise each Service adds variables such as DATABASE_PORT=tcp://10.96.0.7:5432.
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"initContainers": [seed]} if trees else {}),
        "containers": [
            {
                **base,
                "name": "tests",
                "command": list(agent_argv("serve")),
                "env": env,
                "volumeMounts": [*mounts, *trees],
                "resources": {"requests": dict(spec.resources.requests), "limits": dict(spec.resources.limits)},
            },
            {
                **base,
                "name": "keeper",
                "command": list(agent_argv("keep")),
                "env": env[:3],
                "volumeMounts": [*mounts, *({**tree, "readOnly": True} for tree in trees)],
                # coverage.py makes a report there when container `tests` was killed.
                "resources": _small("256Mi"),
            },
        ],
        "volumes": volumes,
    }


def _small(memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": memory}}


def _environment(spec: RunnerSpec) -> Iterable[dict[str, Any]]:
    for name, value in spec.values.items():
        yield {"name": name, "value": value}
    for name, (kind, obj, key) in spec.references.items():
        reference = "secretKeyRef" if kind == "secret" else "configMapKeyRef"
        yield {"name": name, "valueFrom": {reference: {"name": obj, "key": key}}}


def _numeric_user(image: LocalImage | None) -> int:
    """Return the user of the image if it is a number other than 0, and else the default user."""
    user = image.user.partition(":")[0] if image else ""
    return int(user) if user.isdigit() and int(user) else _USER
