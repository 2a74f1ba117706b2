"""Releases: installed or brought up to date, in their order, unless nothing about them changed."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from seatrial.model.environment_record import Made
from seatrial.model.errors import SeatrialError
from seatrial.model.result import Stage
from seatrial.model.spec import ReleaseSpec
from seatrial.namespaces.guardrails import apply_guardrails
from seatrial.namespaces.ownership import ensure_namespace, ensure_namespace_of_own_cluster
from seatrial.readiness.workload import WORKLOADS
from seatrial.releases.applied_sets import SetApplier
from seatrial.releases.configuration_users import changed_configuration, pod_uids, restart_pods
from seatrial.releases.helm_records import newest_deployed_revision, newest_revision, objects_of_revision
from seatrial.releases.live_objects import (
    changed_keys,
    delete_workloads,
    drop_other_managers,
    key_of,
    restore_object,
    short_name,
)
from seatrial.releases.manifests import ObjectSet, empty_set, manifests_of, manifests_set_name, pull_secrets_of
from seatrial.runner_pod.lifecycle import RunnerImage, RunnerPod
from seatrial.saved_state import Installed, read, write
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.deliver import pod_image, runner_image, values_of
from seatrial.watching.workload_monitor import WorkloadMonitor, targets_of

__all__ = ["run", "runner_pod_of"]

_HELM: Final = ("helm",)
"""Helm's field manager, from version 4 on; before, it applies on the client's side."""

_PULL_SECONDS: Final = 60.0
"""After which the kubelet may ask as well."""


def run(ctx: Ctx) -> Report:
    """Bring namespaces, manifests, releases and the runner pod to what the configuration says.

    Raises:
        NotReady: something of a release will not become ready; Helm is stopped then.
        CommandFailed: Helm failed.
    """
    if ctx.env.mirror and ctx.facts.fresh:
        ctx.kube.apply(ctx.env.mirror.announcement())
    for namespace in ctx.project.used_namespaces:
        _ensure_namespace(ctx, namespace)
    _apply_set(ctx, pull_secrets_of(ctx.project.release, ctx.project.root))
    pod = _EarlyPod(ctx, runner_pod_of(ctx))
    pod.ensure_if_pulled()
    configuration = _Configuration(ctx)
    changed = _remove_dropped(ctx)
    for index, release in enumerate(ctx.project.release):
        touched = _apply_set(ctx, manifests_of(release))
        configuration.changed += touched
        before = _installed(ctx, release, configuration)
        if before and not touched:
            ctx.facts.targets[release.name] = before.targets
            continue
        _install(ctx, release, pod, configuration)
        changed.append(release.name)
        if index + 1 < len(ctx.project.release):
            _await(ctx, release)
    configuration.restart_users()
    pod.ensure()
    pod.recreate_if_values_changed()
    ahead = ctx.facts.ahead.values()
    pulled = sum(each.done() and each.result() for each in ahead)
    facts = {"pulled": f"{pulled} of {len(ahead)} images ahead"} if ahead else {}
    return done(installed=", ".join(changed), **facts) if changed else unchanged()


def _apply_set(ctx: Ctx, wanted: ObjectSet) -> list[str]:
    """Apply a set of objects and return the keys of those that changed."""
    applier = SetApplier(
        kube=ctx.kube,
        labels=ctx.record.labels,
        directory=ctx.env.directory,
        used_namespaces=ctx.project.used_namespaces,
        deadline=ctx.deadline,
        warn=ctx.warn,
    )
    applied = applier.apply(wanted)
    if applied is None:
        return []
    ctx.facts.applied[wanted.name] = applied
    return applied.changed


def _ensure_namespace(ctx: Ctx, name: str) -> None:
    environment, is_own = ctx.record.namespace, True
    if ctx.record.shares:
        is_own = ensure_namespace(ctx.kube, name, ctx.owner, deadline=ctx.deadline, record=ctx.record_namespace)
    else:
        ensure_namespace_of_own_cluster(ctx.kube, name, ctx.record.labels)
    if is_own and environment:
        spec, runner = ctx.project.namespace, ctx.project.runner
        apply_guardrails(ctx.kube, name, spec, runner, environment=environment, labels=ctx.record.labels)


class _Configuration:
    """What changed of ConfigMaps and Secrets, and the pods that were there before."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self.changed: list[str] = []
        self.reverted: dict[str, list[str]] = {}
        self._pods: set[str] | None = None

    def remember_pods(self) -> None:
        """Take note of the pods that there are before the first change."""
        if self._pods is None:
            self._pods = set() if self._ctx.facts.fresh else pod_uids(self._ctx.kube, self._ctx.project)

    def restart_users(self) -> None:
        """Have pods made anew that run with what changed."""
        if self._pods and self.changed:
            restart_pods(self._ctx.kube, self._ctx.project, self._pods, self.changed, self._ctx.warn)


def _record(ctx: Ctx, name: str) -> Path:
    return ctx.env.directory / f"release-{name}.json"


def _remove_dropped(ctx: Ctx) -> list[str]:
    """Uninstall releases that this environment has and the configuration no longer names, and return those."""
    configured = {(release.name, release.namespace) for release in ctx.project.release}
    names = {release.name for release in ctx.project.release}
    removed = []
    for path in sorted(ctx.env.directory.glob("release-*.json")):
        name, known = path.stem.removeprefix("release-"), read(path, Installed)
        if known is None or not known.namespace or (name, known.namespace) in configured:
            continue
        if ctx.kube.objects("v1/Secret", known.namespace, labels=f"owner=helm,name={name},{ctx.record.owner_selector}"):
            ctx.warn(f"release {name} in namespace {known.namespace} is no longer configured; deleting")
            spec = ReleaseSpec(name=name, chart="", namespace=known.namespace)
            limit = ctx.deadline.child(ctx.project.timeouts.install)
            ctx.env.charts.recover(spec, good=None, deadline=limit)
            removed.append(f"without {name}")
        if name not in names:
            _apply_set(ctx, empty_set(manifests_set_name(name)))
        path.unlink()
    return removed


def _installed(ctx: Ctx, release: ReleaseSpec, configuration: _Configuration) -> Installed | None:
    """Return what is remembered of a release, if it still is what the configuration says and nobody edited it.

    Edits are reverted as far as an upgrade would leave them.
    """
    before = read(_record(ctx, release.name), Installed)
    if before is None:
        return None
    state = newest_revision(ctx.kube, release)
    if state is None or state.status != "deployed" or state.revision != before.revision:
        return None
    edited = changed_keys(ctx.kube, before.objects)
    if not edited:
        return before if before.digest == ctx.facts.release_digests[release.name] else None
    ctx.warn(f"{short_name(edited[0])} was modified outside seatrial; reverting")
    configuration.remember_pods()
    configuration.changed += edited
    delete_workloads(ctx.kube, edited)
    made = {key_of(obj, release.namespace): obj for obj in objects_of_revision(ctx.kube, release, state.revision)}
    configuration.reverted[release.name] = [
        key
        for key in edited
        if key in made and not key.startswith("apps/v1/") and restore_object(ctx.kube, made[key], release.namespace)
    ]
    return None


def runner_pod_of(ctx: Ctx) -> RunnerPod:
    """Return the runner pod with the image that was built and delivered by this run."""

    def leave() -> None:
        if ctx.facts.prestarted_exec is not None:
            ctx.facts.prestarted_exec.leave()

    reference = runner_image(ctx)
    ctx.facts.runner_pod = RunnerPod(
        kube=ctx.kube,
        project=ctx.project,
        record=ctx.record,
        image=RunnerImage(
            reference=reference,
            pulled_as=pod_image(ctx, reference),
            digest=ctx.facts.delivered.get(reference, ""),
            local=ctx.facts.images.get(reference),
            manifest=ctx.facts.manifest,
            places=ctx.facts.places,
        ),
        directory=ctx.env.directory,
        deadline=ctx.deadline,
        warn=ctx.warn,
        before_deletion=leave,
    )
    return ctx.facts.runner_pod


class _EarlyPod:
    """The runner pod, created before the releases: it only waits for their Secrets.

    But a kubelet that needs an image which a node already pulls fetches and unpacks it a second time. That slows the
    services down, so the pod is created once its image was pulled.
    """

    def __init__(self, ctx: Ctx, pod: RunnerPod) -> None:
        self._deadline = ctx.deadline
        self._pod = pod
        self._pull = ctx.facts.ahead.get(pod.image.reference)
        self._ensured = False

    def ensure_if_pulled(self) -> None:
        """Ensure the pod, unless its image is still being pulled."""
        if self._pull is None or self._pull.done():
            self.ensure()

    def ensure(self) -> None:
        """Wait for the image, and ensure the pod."""
        if self._ensured:
            return
        if self._pull is not None:
            wait([self._pull], self._deadline.child(_PULL_SECONDS).left)
        self._pod.ensure()
        self._ensured = True

    def recreate_if_values_changed(self) -> None:
        """Recreate the pod if values of its variables changed."""
        self._pod.recreate_if_values_changed()


def _install(ctx: Ctx, release: ReleaseSpec, pod: _EarlyPod, configuration: _Configuration) -> None:
    configuration.remember_pods()
    seconds = release.timeout or ctx.project.timeouts.install
    deadline = ctx.deadline.child(seconds)
    ctx.progress(Stage.INSTALL)(f"helm upgrade --install {release.name}")
    state = newest_revision(ctx.kube, release)
    if state and state.status.startswith("pending-"):
        ctx.warn(f"release {release.name} was left {state.status} by a killed run; rolling back")
        good = newest_deployed_revision(ctx.kube, release)
        ctx.env.charts.recover(release, good=good.revision if good else None, deadline=deadline)
    if state is None and ctx.record.shares:
        charts_of = ctx.env.charts
        ctx.undo.push(f"release {release.name}", lambda limit: charts_of.recover(release, good=None, deadline=limit))
        ctx.remember(Made(kind="release", name=f"{release.namespace}/{release.name}"))
    before = objects_of_revision(ctx.kube, release, state.revision) if state else []
    # Before the fact: a release that is dropped from the configuration later is uninstalled.
    path = _record(ctx, release.name)
    known = read(path, Installed) or Installed(digest="", revision=0, objects={}, targets=[])
    write(path, replace(known, digest="", namespace=release.namespace))
    ctx.env.charts.prepare(release, deadline=deadline)
    rendered = ctx.facts.rendered[release.name]
    hooks = [
        (obj["kind"], obj["metadata"].get("namespace") or release.namespace, obj["metadata"]["name"])
        for obj in rendered
        if obj["kind"] in WORKLOADS and "install" in (obj["metadata"].get("annotations") or {}).get("helm.sh/hook", "")
    ]
    failure: list[SeatrialError] = []

    def helm() -> None:
        try:
            ctx.env.charts.install(
                release,
                values_of(ctx, release),
                labels=ctx.record.owner_labels,
                deadline=deadline,
                log=ctx.log(f"helm-{release.name}"),
            )
        except SeatrialError as error:
            failure.append(error)

    thread = threading.Thread(target=helm, daemon=True)
    # What is there already is still as it was before; it is judged once Helm has changed it.
    new = [
        target
        for target in targets_of(rendered, release.namespace)
        if ctx.kube.get(WORKLOADS[target[0]], target[2], target[1]) is None
    ]
    with WorkloadMonitor(ctx.kube, new, hooks, emit=ctx.emit, cancelled=ctx.cancelled) as monitor:
        thread.start()
        # While Helm waits for a hook that cannot run, the monitor raises the reason.
        while thread.is_alive():
            monitor.poll(0.1)
            pod.ensure_if_pulled()
    if failure:
        raise failure[0]
    now = newest_revision(ctx.kube, release)
    made = objects_of_revision(ctx.kube, release, now.revision) if now else []
    configuration.changed += changed_configuration(before, made, release.namespace)
    drop_other_managers(ctx.kube, configuration.reverted.get(release.name, ()), _HELM)
    ctx.facts.installed[release.name] = made
    ctx.facts.targets[release.name] = targets_of(made, release.namespace)


def _await(ctx: Ctx, release: ReleaseSpec) -> None:
    """Wait until a release is ready: what comes after it may build on it."""
    targets = ctx.facts.targets[release.name]
    with WorkloadMonitor(ctx.kube, targets, emit=ctx.emit, cancelled=ctx.cancelled) as monitor:
        monitor.wait(ctx.deadline.child(release.timeout or ctx.project.timeouts.ready))
