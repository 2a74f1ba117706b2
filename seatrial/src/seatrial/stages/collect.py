"""What a run leaves behind: the logs of all containers, and on failure all that tells why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final

from seatrial.model.errors import SeatrialError
from seatrial.model.spec import Project
from seatrial.ports import Object
from seatrial.stages.context import Ctx, Report, done

__all__ = ["run", "used_namespaces"]

_BUNDLE: Final = (
    "v1/Pod",
    "v1/Event",
    "v1/Service",
    "v1/PersistentVolumeClaim",
    "v1/ResourceQuota",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "apps/v1/DaemonSet",
    "batch/v1/Job",
    "discovery.k8s.io/v1/EndpointSlice",
)
"""What a bundle holds of each namespace. No Secrets."""

_READERS: Final = 4


def run(ctx: Ctx) -> Report:
    """Write logs, and after a failure a bundle, into the run's directory. What cannot be had is left out.

    Of an environment that was there before, a run that went well keeps what was printed since it began: the rest grows
    by the hour, was written down by earlier runs, and `seatrial logs` shows it.
    """
    if ctx.facts.kube is None:
        return done()
    pods = [pod for namespace in used_namespaces(ctx.project) for pod in ctx.kube.objects("v1/Pod", namespace)]
    jobs = list(_containers(pods))
    whole = ctx.failed or ctx.facts.fresh
    since = None if whole else math.ceil((datetime.now(ctx.started.tzinfo) - ctx.started).total_seconds()) + 1
    directory = ctx.run_dir / "bundle"
    if ctx.failed:
        directory.mkdir(parents=True)
    with ThreadPoolExecutor(_READERS) as pool:
        bundle = [pool.submit(_bundle, ctx, directory, *place) for place in _places(ctx.project)] if ctx.failed else []
        written = sum(pool.map(lambda job: _log(ctx, *job, since=since), jobs))
    for each in bundle:
        each.result()
    facts = {"logs": str(written), **({"bundle": str(directory)} if ctx.failed else {})}
    if ctx.facts.fresh:
        made_of = ctx.env.nodes.images() if ctx.env.nodes else ()
        ctx.facts.images_size = ctx.env.images.weigh([*ctx.facts.used, *made_of])
    return done(**facts)


def used_namespaces(project: Project) -> list[str]:
    """Return the namespaces that a project uses."""
    return list(dict.fromkeys([*(release.namespace for release in project.release), project.runner.namespace]))


def _containers(pods: list[Object]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield namespace, pod, container and whether it is its former instance."""
    for pod in pods:
        meta, status = pod["metadata"], pod.get("status") or {}
        for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            yield meta["namespace"], meta["name"], each["name"], False
            if each.get("restartCount"):
                yield meta["namespace"], meta["name"], each["name"], True


def _log(ctx: Ctx, namespace: str, pod: str, container: str, previous: bool, *, since: int | None) -> bool:
    try:
        text = ctx.kube.logs(pod, namespace, container, previous=previous, since=since)
    except SeatrialError:
        return False
    if text:
        name = f"{container}{'-previous' if previous else ''}.log"
        path = ctx.run_dir / "logs" / "pods" / namespace / pod / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return bool(text)


def _places(project: Project) -> Iterator[tuple[str, str]]:
    """Yield kind and namespace of what a bundle holds."""
    yield "v1/Node", ""
    for namespace in used_namespaces(project):
        for kind in _BUNDLE:
            yield kind, namespace


def _bundle(ctx: Ctx, directory: Path, kind: str, namespace: str) -> None:
    try:
        objects = ctx.kube.objects(kind, namespace)
    except SeatrialError:
        # In a cluster of others we may not read everything.
        return
    if objects or not namespace:
        name = "nodes" if kind == "v1/Node" else kind.rpartition("/")[2].lower()
        path = directory / namespace / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(objects, indent=1))
