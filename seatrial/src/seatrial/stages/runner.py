"""The runner pod in the cluster: made, kept while it fits, made anew when it does not."""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from typing import Final

from msgspec.structs import replace

from seatrial.image_inputs.manifest import Manifest
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, OutOfTime, SeatrialError, UsageError
from seatrial.namespaces.admission_policies import REFUSAL, refused_namespace
from seatrial.namespaces.ownership import delete_isolation_objects
from seatrial.ports import Object
from seatrial.runner.pod_files import agent_files
from seatrial.saved_state import RunnerRecord, read_runner, write
from seatrial.stages.charts import pod_image
from seatrial.stages.context import Ctx
from seatrial.stages.deliver import runner_image
from seatrial.stages.runner_pod import DIGEST, Shape, runner_objects, runner_policies
from seatrial.watching.watch_set import bounded_watch

__all__ = ["have", "keep_up", "recreate"]

_GONE_SECONDS = 60.0
_IN_FORCE_SECONDS: Final = 30.0
"""An API server takes about a second to put a new policy into force."""

_PAUSE: Final = 0.1


def have(ctx: Ctx) -> None:
    """Have a runner pod that is made from what is configured; whether it runs is the next stage's question."""
    spec = ctx.project.runner
    reference = runner_image(ctx)
    known = read_runner(ctx.env.directory)
    places = ctx.facts.places if ctx.facts.manifest else _sent_places(ctx, known.places if known else ())
    local = ctx.facts.images.get(reference)
    shape = Shape(
        image=pod_image(ctx, reference),
        pull_secrets=ctx.project.pull_secrets_in(spec.namespace),
        digest=ctx.facts.delivered.get(reference, ""),
        local=local,
        agent=agent_files(),
        directories=places,
        labels=ctx.session.labels,
        shared=ctx.session.shares,
    )
    *others, pod = runner_objects(spec, shape)
    there = ctx.kube.get("v1/Pod", spec.pod, spec.namespace)
    made = RunnerRecord(
        reference=reference,
        image=local.digest if local else "",
        uid=there["metadata"].get("uid", "") if there else "",
        places=places,
        manifest=ctx.facts.manifest or Manifest(dockerfile=""),
    )
    broken = known is not None and known.broken and known.uid == made.uid
    if there is not None and _fits(there, pod) and not broken:
        # The same pod may have been found to be what a later build gives, and another machine may have made it.
        made = replace(made, values=known.values if known and known.uid == made.uid else "")
        if known != made:
            write(ctx.env.directory / "runner.json", made)
        return
    if there is not None:
        _remove(ctx, ctx.deadline.child(_GONE_SECONDS))
        if not spec.isolated_namespaces:
            delete_isolation_objects(ctx.kube, spec.namespace, ctx.session.owner_selector)
    _confine(ctx, runner_policies(spec, shape))
    for obj in others:
        ctx.kube.apply(obj)
    uid = ctx.kube.apply(pod)["metadata"].get("uid", "")
    write(ctx.env.directory / "runner.json", replace(made, uid=uid))


def recreate(ctx: Ctx) -> None:
    """Delete the pod and create it anew; it is not ready yet then."""
    _remove(ctx, ctx.deadline.child(_GONE_SECONDS))
    have(ctx)


def _sent_places(ctx: Ctx, before: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that are sent to an image that is not built from this project.

    Raises:
        UsageError: one of them is a file or a link.
    """
    spec, root = ctx.project.runner, ctx.project.root
    found = dict.fromkeys(before)
    for path in spec.sync:
        place = root / path
        if place.is_symlink() or place.is_file():
            raise UsageError(
                f"runner.sync names {path}, which is {'a symbolic link' if place.is_symlink() else 'a file'}",
                reason=f"image {spec.image} is not built from this project: only folders can be sent to it",
                hint="name the folder itself" if place.is_symlink() else "move it into a folder that is sent",
            )
        if place.is_dir():
            found[posixpath.normpath(path)] = None
    return tuple(found)


def keep_up(ctx: Ctx) -> None:
    """Make the runner anew if its variables come from what holds other values now: a container keeps its first ones.

    Call it once the releases are what they shall be; a Secret that a chart makes is made anew with the release.
    """
    known, values = read_runner(ctx.env.directory), _values(ctx)
    if known is None or not values or known.values == values:
        return
    if known.values:
        ctx.warn("what the runner's variables come from has changed: its pod is made anew")
        _remove(ctx, ctx.deadline.child(_GONE_SECONDS))
        have(ctx)
        known = read_runner(ctx.env.directory) or known
    write(ctx.env.directory / "runner.json", replace(known, values=values))


def _confine(ctx: Ctx, policies: list[Object]) -> None:
    """Apply policies and wait until the API server refuses what they forbid.

    Raises:
        EnvironmentFailed: they are not in force in time.
    """
    if not policies:
        return
    for obj in policies:
        ctx.kube.apply(obj)
    refused, user, groups = refused_namespace(ctx.project.runner)
    deadline = ctx.deadline.child(_IN_FORCE_SECONDS)
    while REFUSAL not in (said := ctx.kube.rehearse(refused, user=user, groups=groups)):
        if deadline.passed:
            raise EnvironmentFailed(
                "the policies that confine isolated namespaces are not in force, so the tests get no rights",
                reason=said or f"the cluster still lets {user} create namespace {refused['metadata']['name']}",
                hint="isolated-namespaces needs Kubernetes 1.30 and a cluster administrator, who may impersonate",
            )
        time.sleep(_PAUSE)


def _values(ctx: Ctx) -> str:
    """Return a digest of the values that are referred to; nothing if one is not there, or not for us to read."""
    spec = ctx.project.runner
    wanted = sorted(set(spec.references.values()))
    data: dict[tuple[str, str], dict[str, str]] = {}
    for kind, name in {(kind, name) for kind, name, _ in wanted}:
        try:
            obj = ctx.kube.get("v1/Secret" if kind == "secret" else "v1/ConfigMap", name, spec.namespace)
        except SeatrialError:
            return ""
        data[kind, name] = (obj or {}).get("data") or {}
    values = [(kind, name, key, data[kind, name].get(key)) for kind, name, key in wanted]
    if not values or any(value is None for *_, value in values):
        return ""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _fits(there: Object, wanted: Object) -> bool:
    """Whether a pod is made from the same and still runs: a container that ended does not come back."""
    meta, status = there["metadata"], there.get("status") or {}
    same = (meta.get("annotations") or {}).get(DIGEST) == wanted["metadata"]["annotations"][DIGEST]
    ended = any((each.get("state") or {}).get("terminated") for each in status.get("containerStatuses") or ())
    return (
        same and not ended and not meta.get("deletionTimestamp") and status.get("phase") in ("Pending", "Running", None)
    )


def _remove(ctx: Ctx, deadline: Deadline) -> None:
    """Delete the pod and wait until its name is free."""
    if ctx.facts.submission is not None:
        ctx.facts.submission.leave()
    spec = ctx.project.runner
    with bounded_watch(ctx.kube.watch("v1/Pod", spec.namespace), deadline) as watch:
        deleted = False
        for change in watch:
            if not deleted:
                deleted = True
                if not ctx.kube.delete("v1/Pod", spec.pod, spec.namespace, grace=0):
                    return
            names = [obj["metadata"]["name"] for obj in change.objects]
            if change.type == "deleted" and spec.pod in names:
                return
            if change.type == "synced" and spec.pod not in names:
                return
    raise OutOfTime(
        f"the old pod {spec.pod} does not go away", hint=f"kubectl get pod {spec.pod} -n {spec.namespace} -o yaml"
    )
