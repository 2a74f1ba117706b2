"""Install stage: create namespaces, manifests and the runner pod, and install or upgrade releases in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created
from seatrial.model.result import Stage
from seatrial.model.spec import ReleaseSpec
from seatrial.namespaces.guardrails import apply_guardrails
from seatrial.namespaces.ownership import ensure_namespace, ensure_namespace_of_own_cluster
from seatrial.ports import Object
from seatrial.releases.applied_sets import AppliedSet, SetApplier
from seatrial.releases.configuration_users import ConfigurationChanges
from seatrial.releases.helm_upgrade import HelmUpgrade
from seatrial.releases.installed_releases import InstalledReleases
from seatrial.releases.manifests import ObjectSet, empty_set, manifests_of, manifests_set_name, pull_secrets_of
from seatrial.runner_pod.lifecycle import RunnerPod
from seatrial.stages.cluster import RunningCluster
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.deliver import DeliveredImages, PlannedRelease
from seatrial.watching.workload_monitor import Target, WorkloadMonitor, targets_of

__all__ = ["Installation", "run", "runner_pod_of"]

_PULL_SECONDS: Final = 60.0
"""Seconds to wait for an early pull before the kubelet may pull, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What the environment consists of.

    Attributes:
        targets: name of a release to its workloads, which must become ready.
        upgraded: name of a release that this run upgraded to its objects as Helm created them.
        applied: sets of objects that this run applied.
        runner_pod: the runner pod.
    """

    targets: Mapping[str, list[Target]]
    upgraded: Mapping[str, list[Object]]
    applied: tuple[AppliedSet, ...]
    runner_pod: RunnerPod


def run(ctx: Ctx, cluster: RunningCluster, delivered: DeliveredImages) -> Report[Installation]:
    """Apply what changed of namespaces, manifests, releases and the runner pod.

    Raises:
        NotReady: a workload of a release has failed. Helm is stopped then.
        CommandFailed: Helm failed.
    """
    if ctx.env.mirror and ctx.is_new:
        ctx.kube.apply(ctx.env.mirror.announcement())
    for namespace in ctx.project.used_namespaces:
        _ensure_namespace(ctx, namespace)
    changes = ConfigurationChanges(ctx.kube, ctx.project, is_new=ctx.is_new)
    sets = _Sets(ctx)
    sets.apply(pull_secrets_of(ctx.project.release, ctx.project.root))
    pod = runner_pod_of(ctx, cluster, delivered)
    early = _EarlyPod(pod, delivered.pulls.get(pod.image.reference), ctx.deadline)
    early.ensure_if_pulled()
    releases = _Releases(ctx, delivered, changes, sets)
    changed = releases.uninstall_dropped()
    for index, release in enumerate(ctx.project.release):
        if releases.bring_up_to_date(release, while_waiting=early.ensure_if_pulled):
            changed.append(release.name)
            ctx.fact(Stage.INSTALL, "installed", ", ".join(changed))
            if index + 1 < len(ctx.project.release):
                releases.wait_until_ready(release)
    changes.restart_pods(ctx.warn)
    early.ensure()
    pod.recreate_if_values_changed()
    installation = Installation(
        targets=releases.targets, upgraded=releases.upgraded, applied=tuple(sets.applied), runner_pod=pod
    )
    if not changed:
        return unchanged(installation)
    pulls = delivered.pulls.values()
    pulled = sum(each.done() and each.result() for each in pulls)
    facts = {"pulled": f"{pulled} of {len(pulls)} images ahead"} if pulls else {}
    return done(installation, {"installed": ", ".join(changed), **facts})


class _Sets:
    """Applies manifests and pull Secrets, and collects the sets that changed."""

    def __init__(self, ctx: Ctx) -> None:
        self._applier = SetApplier(
            kube=ctx.kube,
            labels=ctx.record.labels,
            directory=ctx.env.directory,
            used_namespaces=ctx.project.used_namespaces,
            deadline=ctx.deadline,
            warn=ctx.warn,
        )
        self.applied: list[AppliedSet] = []

    def apply(self, wanted: ObjectSet) -> list[str]:
        """Apply a set and return the keys of the objects that changed."""
        applied = self._applier.apply(wanted)
        if applied is None:
            return []
        self.applied.append(applied)
        return applied.changed


class _Releases:
    """Installs, upgrades and uninstalls the releases of the project.

    Attributes:
        targets: name of a release to its workloads.
        upgraded: name of an upgraded release to its objects.
    """

    def __init__(self, ctx: Ctx, delivered: DeliveredImages, changes: ConfigurationChanges, sets: _Sets) -> None:
        self._ctx = ctx
        self._plans = delivered.releases
        self._changes = changes
        self._sets = sets
        self._installed = InstalledReleases(
            kube=ctx.kube,
            charts=ctx.env.charts,
            directory=ctx.env.directory,
            owner_selector=ctx.record.owner_selector,
            changes=changes,
            warn=ctx.warn,
        )
        self._helm = HelmUpgrade(
            kube=ctx.kube,
            charts=ctx.env.charts,
            owner_labels=ctx.record.owner_labels,
            changes=changes,
            emit=ctx.emit,
            warn=ctx.warn,
            canceled=ctx.canceled,
        )
        self.targets: dict[str, list[Target]] = {}
        self.upgraded: dict[str, list[Object]] = {}

    def uninstall_dropped(self) -> list[str]:
        """Uninstall releases that are no longer configured, delete their manifests, and return what to report."""
        configured, timeouts = self._ctx.project.release, self._ctx.project.timeouts
        names = {release.name for release in configured}
        dropped = self._installed.uninstall_dropped(configured, self._ctx.deadline.child(timeouts.install))
        for name in dropped:
            if name not in names:
                self._sets.apply(empty_set(manifests_set_name(name)))
        return [f"without {name}" for name, existed in dropped.items() if existed]

    def bring_up_to_date(self, release: ReleaseSpec, *, while_waiting: Callable[[], None]) -> bool:
        """Apply the manifests of a release, and upgrade it unless nothing changed; return whether it was upgraded."""
        plan = self._plans[release.name]
        touched = self._sets.apply(manifests_of(release))
        self._changes.add(touched)
        targets = self._installed.find_unchanged(release, plan.digest)
        if targets is not None and not touched:
            self.targets[release.name] = targets
            return False
        objects = self._upgrade(release, plan, while_waiting)
        self.upgraded[release.name] = objects
        self.targets[release.name] = targets_of(objects, release.namespace)
        return True

    def wait_until_ready(self, release: ReleaseSpec) -> None:
        """Wait until a release is ready, as the next one may depend on it."""
        ctx, targets = self._ctx, self.targets[release.name]
        with WorkloadMonitor(ctx.kube, targets, emit=ctx.emit, canceled=ctx.canceled) as monitor:
            monitor.wait(ctx.deadline.child(release.timeout or ctx.project.timeouts.ready))

    def _upgrade(self, release: ReleaseSpec, plan: PlannedRelease, while_waiting: Callable[[], None]) -> list[Object]:
        ctx = self._ctx
        deadline = ctx.deadline.child(release.timeout or ctx.project.timeouts.install)
        ctx.progress(Stage.INSTALL)(f"helm upgrade --install {release.name}")
        newest = self._helm.prepare(release, deadline)
        if newest is None and ctx.record.shares:
            name = f"{release.namespace}/{release.name}"
            ctx.resources.add(Created(kind="release", name=name, identity=ctx.record.id))
        self._installed.record_start(release)
        return self._helm.run(
            release,
            plan.objects,
            plan.values,
            newest=newest,
            deadline=deadline,
            log=ctx.log(f"helm-{release.name}"),
            while_waiting=while_waiting,
        )


def _ensure_namespace(ctx: Ctx, name: str) -> None:
    environment, is_own = ctx.record.namespace, True
    if ctx.record.shares:
        is_own = ensure_namespace(ctx.kube, name, ctx.owner, deadline=ctx.deadline, record=ctx.resources.add)
    else:
        ensure_namespace_of_own_cluster(ctx.kube, name, ctx.record.labels)
    if is_own and environment:
        spec, runner = ctx.project.namespace, ctx.project.runner
        apply_guardrails(ctx.kube, name, spec, runner, environment=environment, labels=ctx.record.labels)


def runner_pod_of(ctx: Ctx, cluster: RunningCluster, delivered: DeliveredImages) -> RunnerPod:
    """Return the runner pod with the image that this run built and delivered."""
    prestarted = cluster.prestarted_exec
    return RunnerPod(
        kube=ctx.kube,
        project=ctx.project,
        record=ctx.record,
        image=delivered.runner,
        directory=ctx.env.directory,
        deadline=ctx.deadline,
        warn=ctx.warn,
        before_deletion=prestarted.abandon if prestarted else lambda: None,
    )


class _EarlyPod:
    """The runner pod, created before the releases: it only waits for their Secrets.

    But a kubelet that needs an image which a node already pulls fetches and unpacks it a second time. That slows the
    services down, so the pod is created once its image was pulled.
    """

    def __init__(self, pod: RunnerPod, pull: Future[bool] | None, deadline: Deadline) -> None:
        self._pod = pod
        self._pull = pull
        self._deadline = deadline
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
