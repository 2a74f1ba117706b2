"""What a run leaves behind: the logs of all containers, and on failure all that tells why."""

from __future__ import annotations

import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from seatrial.model.errors import ExitCode, SeatrialError
from seatrial.model.event import Note
from seatrial.model.finding import Finding
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import Project
from seatrial.ports import Object
from seatrial.readiness.pod import container_statuses
from seatrial.runner import waits
from seatrial.runner_pod.service_probes import ServiceProbes
from seatrial.stages.context import Ctx, Report, done
from seatrial.stages.secrets import without_secrets

__all__ = ["run"]

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

_FAILED: Final = (ExitCode.TESTS_FAILED, ExitCode.INCONCLUSIVE, ExitCode.PYTEST_INTERNAL)

_PATIENT: Final = 60.0
"""Seconds without one file read after which the rest is left."""

_LATE: Final = 5.0
"""The same after the tests timed out."""

_INTERRUPTED: Final = 1.5
"""The same after Ctrl-C or SIGTERM."""


def run(ctx: Ctx) -> Report:
    """Write logs, and after a failure a bundle, into the run's directory. What cannot be had is left out.

    Of an environment that was there before, a run that went well keeps what was printed since it began: the rest grows
    by the hour, was written down by earlier runs, and `seatrial logs` shows it.
    """
    if ctx.facts.kube is None:
        return done()
    tests = ctx.facts.tests
    findings: tuple[Finding, ...] = ()
    # Services are not probed after a run that passed.
    if tests is not None and tests.verdict.exit in _FAILED:
        probes = ServiceProbes(kube=ctx.kube, project=ctx.project, emit=ctx.emit, cancelled=ctx.cancelled)
        findings = probes.after_failed_tests(ctx.env.directory)
    collected = _Collected(ctx)
    try:
        waits.call(collected.run, until=collected.is_stuck)
    except waits.Left:
        ctx.emit(Note(level="warning", text="not all logs were collected: the cluster does not answer"))
    directory, written = collected.directory, collected.written
    facts = {"logs": str(written), **({"bundle": str(directory)} if ctx.failed else {})}
    if ctx.facts.fresh:
        made_of = ctx.env.nodes.images() if ctx.env.nodes else ()
        ctx.facts.images_size = ctx.env.images.weigh([*ctx.facts.used, *made_of])
    return done(**facts)._replace(findings=findings)


class _Collected:
    """The files of one run while they are read from the cluster.

    Reading takes no executor: the interpreter waits for its threads, and one may be stuck in a node that is paused.
    """

    def __init__(self, ctx: Ctx) -> None:
        self.ctx = ctx
        self.directory = ctx.run_dir / "bundle"
        self.written = 0
        self.lock = threading.Lock()
        self.moved = time.monotonic()
        self.problems: list[Exception] = []
        tests = ctx.facts.tests
        self.patience = _PATIENT
        if tests is not None and tests.verdict.exit is ExitCode.OUT_OF_TIME:
            self.patience = _LATE
        elif tests is not None and tests.interrupted is not None:
            self.patience = _INTERRUPTED

    def is_stuck(self) -> bool:
        """Whether nothing was read for too long."""
        return time.monotonic() - self.moved > self.patience

    def run(self) -> None:
        """Read all."""
        ctx = self.ctx
        whole = ctx.failed or ctx.facts.fresh
        since = None if whole else math.ceil((datetime.now(ctx.started.tzinfo) - ctx.started).total_seconds()) + 1
        pods = [pod for namespace in ctx.project.used_namespaces for pod in ctx.kube.objects("v1/Pod", namespace)]
        jobs: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        if ctx.failed:
            self.directory.mkdir(parents=True, exist_ok=True)
            for place in _places(ctx.project):
                jobs.put(partial(_bundle, ctx, self.directory, *place))
        for job in _containers(pods):
            jobs.put(partial(_log, ctx, *job, since=since))
        readers = [threading.Thread(target=self._read, args=(jobs,), daemon=True) for _ in range(_READERS)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        if self.problems:
            raise self.problems[0]

    def _read(self, jobs: queue.SimpleQueue[Callable[[], bool]]) -> None:
        with suppress(queue.Empty):
            while True:
                job = jobs.get_nowait()
                try:
                    is_log = job()
                    with self.lock:
                        self.written += is_log
                except Exception as error:  # noqa: BLE001 - raised by the thread that waits
                    self.problems.append(error)
                self.moved = time.monotonic()


def _containers(pods: list[Object]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield namespace, pod, container and whether it is its former instance."""
    for pod in pods:
        meta = pod["metadata"]
        for each in container_statuses(pod):
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
        path.write_bytes(SECRETS.data(text))
    return bool(text)


def _places(project: Project) -> Iterator[tuple[str, str]]:
    """Yield kind and namespace of what a bundle holds."""
    yield "v1/Node", ""
    for namespace in project.used_namespaces:
        for kind in _BUNDLE:
            yield kind, namespace


def _bundle(ctx: Ctx, directory: Path, kind: str, namespace: str) -> bool:
    """Write the objects of a kind; False, as they are no logs."""
    try:
        objects = ctx.kube.objects(kind, namespace)
    except SeatrialError:
        # In a cluster of others we may not read everything.
        return False
    if objects or not namespace:
        name = "nodes" if kind == "v1/Node" else kind.rpartition("/")[2].lower()
        path = directory / namespace / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRETS.text(json.dumps([without_secrets(each) for each in objects], indent=1)))
    return False
