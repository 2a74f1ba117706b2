"""Releases: installed or brought up to date, in their order, unless nothing about them changed."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from typing import Final

from seatrial.model.errors import SeatrialError
from seatrial.model.result import Stage
from seatrial.model.session import Made
from seatrial.model.spec import ReleaseSpec
from seatrial.readiness.workload import WORKLOADS
from seatrial.stages import charts, namespaces, neighbours, objects, runner
from seatrial.stages.context import Ctx, Report, done, unchanged
from seatrial.stages.deliver import runner_image
from seatrial.stages.helm_state import manifest, newest, newest_good
from seatrial.stages.memory import Installed, read
from seatrial.stages.monitor import Monitor, targets_of

__all__ = ["run"]

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
    for namespace in dict.fromkeys(
        [*(release.namespace for release in ctx.project.release), ctx.project.runner.namespace]
    ):
        if namespaces.have(ctx, namespace) and ctx.session.namespace:
            neighbours.have(ctx, namespace)
    objects.apply_pull_secrets(ctx)
    pod = _Runner(ctx)
    pod.have_in_time()
    changed = []
    for index, release in enumerate(ctx.project.release):
        if before := _installed(ctx, release):
            ctx.facts.targets[release.name] = before.targets
            continue
        objects.apply_before(ctx, release)
        _install(ctx, release, pod)
        changed.append(release.name)
        if index + 1 < len(ctx.project.release):
            _await(ctx, release)
    pod.have()
    runner.keep_up(ctx)
    ahead = ctx.facts.ahead.values()
    pulled = sum(each.done() and each.result() for each in ahead)
    facts = {"pulled": f"{pulled} of {len(ahead)} images ahead"} if ahead else {}
    return done(installed=", ".join(changed), **facts) if changed else unchanged()


def _installed(ctx: Ctx, release: ReleaseSpec) -> Installed | None:
    """Return what is remembered of a release, if it still is what the configuration says and nobody edited it."""
    before = read(ctx.env.directory / f"release-{release.name}.json", Installed)
    if before is None or before.digest != ctx.facts.release_digests[release.name]:
        return None
    state = newest(ctx.kube, release)
    if state is None or state.status != "deployed" or state.revision != before.revision:
        return None
    changed = objects.edited(ctx.kube, before.objects)
    if changed:
        ctx.warn(f"somebody changed {changed[0].replace(' ', ' of ', 1).replace(' ', '/')}: taking that back")
        objects.remove_workloads(ctx.kube, changed)
        return None
    return before


class _Runner:
    """The runner pod, made beside the services: it only waits for their Secrets.

    But a kubelet that is asked for an image which is on its way already fetches and unpacks it a second time, at the
    services' cost.
    """

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self._on_its_way = ctx.facts.ahead.get(runner_image(ctx))
        self._made = False

    def have_in_time(self) -> None:
        """Have the pod, unless its image is still on its way."""
        if self._on_its_way is None or self._on_its_way.done():
            self.have()

    def have(self) -> None:
        """Have the pod, once its image is there."""
        if self._made:
            return
        if self._on_its_way is not None:
            wait([self._on_its_way], self._ctx.deadline.child(_PULL_SECONDS).left)
        runner.have(self._ctx)
        self._made = True


def _install(ctx: Ctx, release: ReleaseSpec, pod: _Runner) -> None:
    seconds = release.timeout or ctx.project.timeouts.install
    deadline = ctx.deadline.child(seconds)
    ctx.progress(Stage.INSTALL)(f"helm upgrade --install {release.name}")
    state = newest(ctx.kube, release)
    if state and state.status.startswith("pending-"):
        ctx.warn(f"release {release.name} was left {state.status} by a run that died: taking that back")
        good = newest_good(ctx.kube, release)
        ctx.env.charts.recover(release, good=good.revision if good else None, deadline=deadline)
    if state is None and ctx.session.shares:
        charts_of = ctx.env.charts
        ctx.undo.push(f"release {release.name}", lambda limit: charts_of.recover(release, good=None, deadline=limit))
        ctx.remember(Made(kind="release", name=f"{release.namespace}/{release.name}"))
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
                charts.sets_of(ctx, release),
                labels=objects.owners(ctx),
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
    monitor = Monitor(ctx, new, hooks)
    try:
        thread.start()
        # While Helm waits for a hook that cannot run, the monitor says so and why.
        while thread.is_alive():
            monitor.look(0.1)
            pod.have_in_time()
    finally:
        monitor.close()
    if failure:
        raise failure[0]
    now = newest(ctx.kube, release)
    made = manifest(ctx.kube, release, now.revision) if now else []
    ctx.facts.installed[release.name] = made
    ctx.facts.targets[release.name] = targets_of(made, release.namespace)


def _await(ctx: Ctx, release: ReleaseSpec) -> None:
    """Wait until a release is ready: what comes after it may build on it."""
    monitor = Monitor(ctx, ctx.facts.targets[release.name])
    try:
        monitor.wait(release.timeout or ctx.project.timeouts.ready)
    finally:
        monitor.close()
