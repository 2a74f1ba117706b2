"""Install stage: create namespaces, manifests and the runner pod, and install or upgrade releases in their order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from seatrial.model.environment_record import Created
from seatrial.model.result import Stage
from seatrial.model.spec import ReleaseSpec
from seatrial.namespaces.guardrails import apply_guardrails
from seatrial.namespaces.ownership import ensure_namespace, ensure_namespace_of_own_cluster
from seatrial.releases.applied_sets import SetApplier
from seatrial.releases.configuration_users import ConfigurationChanges
from seatrial.releases.helm_upgrade import HelmUpgrade
from seatrial.releases.installed_releases import InstalledReleases
from seatrial.releases.manifests import ObjectSet, empty_set, manifests_of, manifests_set_name, pull_secrets_of
from seatrial.runner_pod.lifecycle import RunnerImage, RunnerPod
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.deliver import pod_image, runner_image, values_of
from seatrial.watching.workload_monitor import WorkloadMonitor, targets_of

__all__ = ["run", "runner_pod_of"]

_PULL_SECONDS: Final = 60.0
"""Seconds to wait for an early pull before the kubelet may pull, too."""


def run(ctx: Ctx) -> Report:
    """Apply what changed of namespaces, manifests, releases and the runner pod.

    Raises:
        NotReady: a workload of a release has failed. Helm is stopped then.
        CommandFailed: Helm failed.
    """
    if ctx.env.mirror and ctx.facts.fresh:
        ctx.kube.apply(ctx.env.mirror.announcement())
    for namespace in ctx.project.used_namespaces:
        _ensure_namespace(ctx, namespace)
    _apply_set(ctx, pull_secrets_of(ctx.project.release, ctx.project.root))
    pod = _EarlyPod(ctx, runner_pod_of(ctx))
    pod.ensure_if_pulled()
    changes = ConfigurationChanges(ctx.kube, ctx.project, is_new=ctx.facts.fresh)
    installed = InstalledReleases(
        kube=ctx.kube,
        charts=ctx.env.charts,
        directory=ctx.env.directory,
        owner_selector=ctx.record.owner_selector,
        changes=changes,
        warn=ctx.warn,
    )
    changed = _uninstall_dropped(ctx, installed)
    for index, release in enumerate(ctx.project.release):
        touched = _apply_set(ctx, manifests_of(release))
        changes.add(touched)
        unchanged_targets = installed.find_unchanged(release, ctx.facts.release_digests[release.name])
        if unchanged_targets is not None and not touched:
            ctx.facts.targets[release.name] = unchanged_targets
            continue
        _upgrade(ctx, release, installed, changes, while_waiting=pod.ensure_if_pulled)
        changed.append(release.name)
        if index + 1 < len(ctx.project.release):
            _wait_until_ready(ctx, release)
    changes.restart_pods(ctx.warn)
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
        is_own = ensure_namespace(ctx.kube, name, ctx.owner, deadline=ctx.deadline, record=ctx.resources.add)
    else:
        ensure_namespace_of_own_cluster(ctx.kube, name, ctx.record.labels)
    if is_own and environment:
        spec, runner = ctx.project.namespace, ctx.project.runner
        apply_guardrails(ctx.kube, name, spec, runner, environment=environment, labels=ctx.record.labels)


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


def _uninstall_dropped(ctx: Ctx, installed: InstalledReleases) -> list[str]:
    """Uninstall releases that are no longer configured, delete their manifests, and return what to report of them."""
    names = {release.name for release in ctx.project.release}
    dropped = installed.uninstall_dropped(ctx.project.release, ctx.deadline.child(ctx.project.timeouts.install))
    for name in dropped:
        if name not in names:
            _apply_set(ctx, empty_set(manifests_set_name(name)))
    return [f"without {name}" for name, existed in dropped.items() if existed]


def _upgrade(
    ctx: Ctx,
    release: ReleaseSpec,
    installed: InstalledReleases,
    changes: ConfigurationChanges,
    *,
    while_waiting: Callable[[], None],
) -> None:
    deadline = ctx.deadline.child(release.timeout or ctx.project.timeouts.install)
    ctx.progress(Stage.INSTALL)(f"helm upgrade --install {release.name}")
    upgrade = HelmUpgrade(
        kube=ctx.kube,
        charts=ctx.env.charts,
        owner_labels=ctx.record.owner_labels,
        changes=changes,
        emit=ctx.emit,
        warn=ctx.warn,
        cancelled=ctx.cancelled,
    )
    newest = upgrade.prepare(release, deadline)
    if newest is None and ctx.record.shares:
        ctx.resources.add(Created(kind="release", name=f"{release.namespace}/{release.name}", identity=ctx.record.id))
    installed.record_start(release)
    objects = upgrade.run(
        release,
        ctx.facts.rendered[release.name],
        values_of(ctx, release),
        newest=newest,
        deadline=deadline,
        log=ctx.log(f"helm-{release.name}"),
        while_waiting=while_waiting,
    )
    ctx.facts.installed[release.name] = objects
    ctx.facts.targets[release.name] = targets_of(objects, release.namespace)


def _wait_until_ready(ctx: Ctx, release: ReleaseSpec) -> None:
    """Wait until a release is ready, as the next one may depend on it."""
    targets = ctx.facts.targets[release.name]
    with WorkloadMonitor(ctx.kube, targets, emit=ctx.emit, cancelled=ctx.cancelled) as monitor:
        monitor.wait(ctx.deadline.child(release.timeout or ctx.project.timeouts.ready))
