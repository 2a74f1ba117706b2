"""Namespaces: made, found ours, used by their owner's leave, or refused; and what of ours goes again."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from seatrial.model.errors import AccessDenied, NotServed, OutOfTime, UsageError
from seatrial.model.names import (
    ISOLATED_PREFIX,
    LABEL_ENVIRONMENT,
    LABEL_ISOLATED_FOR,
    LABEL_KEPT,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_SESSION,
    LABEL_USE,
    OWNER,
)
from seatrial.model.session import Made
from seatrial.ports import Kube, Object
from seatrial.stages.context import Ctx

__all__ = ["allowed", "check", "enter", "have", "remove", "remove_isolation", "sweep"]

_GIVEN: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_GONE_SECONDS: Final = 90.0
_LOOK: Final = 0.5

_OURS: Final = (
    "v1/Pod",
    "v1/ConfigMap",
    "v1/Secret",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "rbac.authorization.k8s.io/v1/Role",
    "v1/ServiceAccount",
    "coordination.k8s.io/v1/Lease",
)
"""Kinds that we put into namespaces, beside what manifests of the project bring."""


_CLUSTER_WIDE: Final = (
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "v1/Namespace",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
)
"""Kinds that `[runner] isolated-namespaces` and its tests create in the whole cluster, in the order of their deletion.

Rights are deleted before the policies that confine them.
"""


def enter(ctx: Ctx, name: str) -> None:
    """Have a namespace to take the Lease in, and touch it no further if it is there already.

    Raises:
        UsageError: it is neither this project's nor allowed.
        OutOfTime: it is being deleted and stays.
    """
    there = _standing(ctx, name)
    if there is None:
        _undo(ctx, name)
        if ctx.kube.create(_namespace(ctx, name, None)):
            return
        # Somebody was quicker.
        ctx.undo.pop()
        there = ctx.kube.get("v1/Namespace", name) or {"metadata": {}}
    check(ctx, name, there)


def have(ctx: Ctx, name: str) -> bool:
    """Have a namespace, and say whether it is ours.

    In a cluster of our own, whatever is in it is used. In one that others use too, it must carry our labels, or one by
    which its owner allows its use; then it is neither labelled nor ever deleted.

    Raises:
        UsageError: it is neither.
        OutOfTime: it is being deleted and stays.
    """
    if not ctx.session.shares:
        if name not in _GIVEN and ctx.kube.get("v1/Namespace", name) is None:
            ctx.kube.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": ctx.session.labels}}
            )
        return True
    there = _standing(ctx, name)
    if there is not None:
        check(ctx, name, there)
    if allowed(there):
        kube, selector = ctx.kube, ctx.session.owner_selector
        ctx.undo.push(f"what is ours in namespace {name}", lambda _: sweep(kube, name, selector))
        ctx.remember(Made(kind="objects", name=name))
        return False
    _undo(ctx, name)
    # Again each time: the labels tell whose it is now and when it expires.
    ctx.kube.apply(_namespace(ctx, name, there))
    return True


def check(ctx: Ctx, name: str, there: Object) -> None:
    """Check that a namespace may be used.

    Raises:
        UsageError: it may not.
    """
    marks, wanted = there["metadata"].get("labels") or {}, ctx.session.labels
    if allowed(there):
        return
    if any(marks.get(key) != wanted[key] for key in (LABEL_OWNER, LABEL_PROJECT)):
        raise UsageError(
            f"namespace {name} is there and is not this project's",
            reason=f"it has no label {LABEL_OWNER}={OWNER} with {LABEL_PROJECT}={wanted[LABEL_PROJECT]}",
            hint=f"another --namespace, or its owner's word: kubectl label namespace {name} {LABEL_USE}=allowed",
        )
    if ctx.keep != "always" and marks.get(LABEL_KEPT) == "true" and marks.get(LABEL_SESSION) != wanted[LABEL_SESSION]:
        raise UsageError(
            f"namespace {name} has an environment that was kept",
            reason="what this run leaves is removed at its end, and that would be removed with it",
            hint="seatrial test or seatrial down with --namespace, or another --namespace",
        )


def allowed(there: Object | None) -> bool:
    """Whether the owner of a namespace allows its use."""
    return ((there or {}).get("metadata", {}).get("labels") or {}).get(LABEL_USE) == "allowed"


def remove(kube: Kube, name: str, session: str) -> bool:
    """Delete a namespace if it still is the one of a session, and what its runner has in the whole cluster; say so."""
    there = kube.get("v1/Namespace", name)
    marks = (there or {}).get("metadata", {}).get("labels") or {}
    if marks.get(LABEL_SESSION) != session:
        return False
    remove_isolation(kube, name, ",".join(f"{key}={marks.get(key, '')}" for key in (LABEL_OWNER, LABEL_PROJECT)))
    return kube.delete("v1/Namespace", name)


def sweep(kube: Kube, namespace: str, selector: str) -> None:
    """Delete the objects of ours in a namespace that is not, and those that its runner has in the whole cluster."""
    for kind in _OURS:
        for obj in kube.objects(kind, namespace, labels=selector):
            kube.delete(kind, obj["metadata"]["name"], namespace)
    remove_isolation(kube, namespace, selector)


def remove_isolation(kube: Kube, namespace: str, selector: str) -> None:
    """Delete what the runner of a namespace has in the whole cluster: its rights, its tests' namespaces, its policies.

    Args:
        kube: the API.
        namespace: the runner's.
        selector: of the labels that say whose the objects are.
    """
    for kind in _CLUSTER_WIDE:
        found: list[Object] = []
        # Users who may not list a kind have not created any of it, nor has anybody where it is not served.
        with suppress(AccessDenied, NotServed):
            found = kube.objects(kind, labels=f"{selector},{LABEL_ISOLATED_FOR}={namespace}")
        for name in (obj["metadata"]["name"] for obj in found):
            if kind != "v1/Namespace" or name.startswith(ISOLATED_PREFIX):
                kube.delete(kind, name)


def _undo(ctx: Ctx, name: str) -> None:
    kube, session = ctx.kube, ctx.session.session
    ctx.undo.push(f"namespace {name}", lambda _: remove(kube, name, session))
    ctx.remember(Made(kind="namespace", name=name))


def _namespace(ctx: Ctx, name: str, there: Object | None) -> Object:
    wanted = {**ctx.session.labels, LABEL_KEPT: "true" if ctx.keep == "always" else "false"}
    if ctx.session.namespace:
        wanted[LABEL_ENVIRONMENT] = ctx.session.namespace
        wanted["pod-security.kubernetes.io/enforce"] = ctx.project.namespace.pod_security
    notes = (there or {}).get("metadata", {}).get("annotations") or {}
    kept = {key: value for key, value in notes.items() if key.startswith("seatrial.dev/")}
    meta = {"name": name, "labels": wanted, "annotations": kept}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def _standing(ctx: Ctx, name: str) -> Object | None:
    """Return a namespace, None if there is none; one on its way out is awaited."""
    deadline = ctx.deadline.child(_GONE_SECONDS)
    while True:
        there = ctx.kube.get("v1/Namespace", name)
        if there is None or not there["metadata"].get("deletionTimestamp"):
            return there
        if deadline.passed:
            raise OutOfTime(
                f"namespace {name} is being deleted and stays", hint=f"kubectl get namespace {name} -o yaml says why"
            )
        time.sleep(_LOOK)
