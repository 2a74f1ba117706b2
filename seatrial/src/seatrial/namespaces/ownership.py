"""Create namespaces, check who owns them, and delete what belongs to an environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created
from seatrial.model.errors import AccessDenied, NotServed, OutOfTime, UsageError
from seatrial.model.names import (
    ISOLATED_PREFIX,
    LABEL_ENVIRONMENT,
    LABEL_ENVIRONMENT_ID,
    LABEL_ISOLATED_FOR,
    LABEL_KEPT,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_USE,
    OWNER,
)
from seatrial.ports import Kube, Object

__all__ = [
    "Owner",
    "check_owner",
    "claim_namespace",
    "delete_isolation_objects",
    "delete_namespace",
    "delete_own_objects",
    "ensure_namespace",
    "ensure_namespace_of_own_cluster",
    "is_use_allowed",
]

_BUILT_IN: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_DELETION_SECONDS: Final = 90.0
_PAUSE: Final = 0.5

_OWN_KINDS: Final = (
    "v1/Pod",
    "v1/ConfigMap",
    "v1/Secret",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "rbac.authorization.k8s.io/v1/Role",
    "v1/ServiceAccount",
    "coordination.k8s.io/v1/Lease",
)
"""Kinds that seatrial creates in namespaces, apart from the objects in manifests of the project."""

_CLUSTER_WIDE: Final = (
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "v1/Namespace",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
)
"""Cluster-wide kinds that `[runner] isolated-namespaces` and its tests create, in the order of their deletion.

Cluster roles are deleted before the policies that confine them.
"""


Record = Callable[[Created], None]
"""Takes the record of a namespace, or of objects in a namespace, before they are created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The environment that namespaces in a shared cluster are created for.

    Attributes:
        labels: project, environment and expiry, as all its objects have them.
        kept: whether the environment outlives the command that creates it.
        environment: the name that `--namespace` gave; empty if the project's own namespaces are used.
        pod_security: the Pod Security level of namespaces that belong to a named environment.
    """

    labels: Mapping[str, str]
    kept: bool
    environment: str
    pod_security: str


def claim_namespace(kube: Kube, name: str, owner: Owner, *, deadline: Deadline, record: Record) -> None:
    """Ensure that a namespace exists and may be used, so that the Lease in it can be taken. Change no existing one.

    Raises:
        UsageError: the namespace belongs to another owner who does not allow its use.
        OutOfTime: the namespace is being deleted and does not go away.
    """
    existing = _wait_for_deletion(kube, name, deadline)
    if existing is None:
        record(_created(name, owner))
        if kube.create(_namespace(name, owner, None)):
            return
        # Another process created it in between.
        existing = kube.get("v1/Namespace", name) or {"metadata": {}}
    check_owner(name, existing, owner)


def ensure_namespace_of_own_cluster(kube: Kube, name: str, labels: Mapping[str, str]) -> None:
    """Create a namespace in a cluster that only this environment uses, unless it exists."""
    if name not in _BUILT_IN and kube.get("v1/Namespace", name) is None:
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}})


def ensure_namespace(kube: Kube, name: str, owner: Owner, *, deadline: Deadline, record: Record) -> bool:
    """Create or relabel a namespace in a shared cluster. Return False if its owner only allows its use.

    Such a namespace is neither labeled nor ever deleted.

    Raises:
        UsageError: the namespace belongs to another owner who does not allow its use.
        OutOfTime: the namespace is being deleted and does not go away.
    """
    existing = _wait_for_deletion(kube, name, deadline)
    if existing is not None:
        check_owner(name, existing, owner)
    if is_use_allowed(existing):
        record(Created(kind="objects", name=name))
        return False
    record(_created(name, owner))
    # Again by each command: the labels say which environment owns it now and when it expires.
    kube.apply(_namespace(name, owner, existing))
    return True


def check_owner(name: str, namespace: Object, owner: Owner) -> None:
    """Check that an existing namespace may be used.

    Raises:
        UsageError: it belongs to another owner, or another environment of the project keeps it.
    """
    labels, wanted = namespace["metadata"].get("labels") or {}, owner.labels
    if is_use_allowed(namespace):
        return
    if any(labels.get(key) != wanted[key] for key in (LABEL_OWNER, LABEL_PROJECT)):
        raise UsageError(
            f"namespace {name} already exists and belongs to another owner",
            reason=f"it has no label {LABEL_OWNER}={OWNER} with {LABEL_PROJECT}={wanted[LABEL_PROJECT]}",
            hint=f"choose another --namespace; or its owner runs: kubectl label namespace {name} {LABEL_USE}=allowed",
        )
    if (
        not owner.kept
        and labels.get(LABEL_KEPT) == "true"
        and labels.get(LABEL_ENVIRONMENT_ID) != wanted[LABEL_ENVIRONMENT_ID]
    ):
        raise UsageError(
            f"namespace {name} contains a kept environment",
            reason="this run deletes its namespaces when it ends, and would delete the kept environment with them",
            hint="seatrial test or seatrial down with the same --namespace, or choose another --namespace",
        )


def is_use_allowed(namespace: Object | None) -> bool:
    """Return whether the owner of a namespace allows seatrial to use it."""
    return ((namespace or {}).get("metadata", {}).get("labels") or {}).get(LABEL_USE) == "allowed"


def delete_namespace(kube: Kube, name: str, environment: str) -> bool:
    """Delete an environment's namespace with its runner's cluster-wide objects; return whether it was its own."""
    namespace = kube.get("v1/Namespace", name)
    labels = (namespace or {}).get("metadata", {}).get("labels") or {}
    if labels.get(LABEL_ENVIRONMENT_ID) != environment:
        return False
    selector = ",".join(f"{key}={labels.get(key, '')}" for key in (LABEL_OWNER, LABEL_PROJECT))
    delete_isolation_objects(kube, name, selector)
    return kube.delete("v1/Namespace", name)


def delete_own_objects(kube: Kube, namespace: str, selector: str) -> None:
    """Delete seatrial's objects in a namespace of another owner, and its runner's cluster-wide objects.

    Args:
        kube: the cluster's API.
        namespace: the namespace that the runner is in.
        selector: label selector of the objects' owner.
    """
    # The owner may have deleted the namespace. The cluster-wide objects are left then.
    for kind in _OWN_KINDS if kube.get("v1/Namespace", namespace) is not None else ():
        for obj in kube.objects(kind, namespace, labels=selector):
            kube.delete(kind, obj["metadata"]["name"], namespace)
    delete_isolation_objects(kube, namespace, selector)


def delete_isolation_objects(kube: Kube, namespace: str, selector: str) -> None:
    """Delete a runner's cluster-wide objects: its cluster roles, the namespaces of its tests and its policies.

    Args:
        kube: the cluster's API.
        namespace: the namespace that the runner is in.
        selector: label selector of the objects' owner.
    """
    for kind in _CLUSTER_WIDE:
        found: list[Object] = []
        # A user who may not list a kind has not created objects of that kind.
        with suppress(AccessDenied, NotServed):
            found = kube.objects(kind, labels=f"{selector},{LABEL_ISOLATED_FOR}={namespace}")
        for name in (obj["metadata"]["name"] for obj in found):
            if kind != "v1/Namespace" or name.startswith(ISOLATED_PREFIX):
                kube.delete(kind, name)


def _created(name: str, owner: Owner) -> Created:
    return Created(kind="namespace", name=name, identity=owner.labels[LABEL_ENVIRONMENT_ID])


def _namespace(name: str, owner: Owner, existing: Object | None) -> Object:
    labels = {**owner.labels, LABEL_KEPT: "true" if owner.kept else "false"}
    if owner.environment:
        labels[LABEL_ENVIRONMENT] = owner.environment
        labels["pod-security.kubernetes.io/enforce"] = owner.pod_security
    annotations = (existing or {}).get("metadata", {}).get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key.startswith("seatrial.dev/")}
    meta = {"name": name, "labels": labels, "annotations": kept}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def _wait_for_deletion(kube: Kube, name: str, deadline: Deadline) -> Object | None:
    """Return a namespace, or None if it does not exist. Wait while it is being deleted."""
    until = deadline.child(_DELETION_SECONDS)
    while True:
        namespace = kube.get("v1/Namespace", name)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return namespace
        if until.passed:
            raise OutOfTime(
                f"namespace {name} is still being deleted after {_DELETION_SECONDS:.0f} s",
                hint=f"kubectl get namespace {name} -o yaml; status.conditions name what blocks its deletion",
            )
        time.sleep(_PAUSE)
