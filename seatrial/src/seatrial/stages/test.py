"""Test stage: sync the working tree, run pytest in the runner and stream its results."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seatrial.collection.fingerprint_key import fingerprint_key
from seatrial.collection.runner_question import RunnerQuestion, asked_services
from seatrial.diagnose.failed_test import FailedTest
from seatrial.image_inputs.delta import BuiltFileChanged, Delta, plan
from seatrial.image_inputs.working_tree import digest, shown
from seatrial.images.expected_tree import expected_tree, host_root
from seatrial.images.written_files import COLLECTED, WrittenFiles
from seatrial.model.blame import Blame
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.event import Note, TestBlamed
from seatrial.model.result import Stage
from seatrial.model.timeline import TIMELINE_FILE
from seatrial.ports import ContainerState, PodExec
from seatrial.readiness.pod import container_state
from seatrial.runner.fixture_settings import fixture_settings
from seatrial.runner.options import Invocation, report_options, split_command_line
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.runner.protocol import CI_VARIABLES
from seatrial.runner.run_tests import Request, TestRun, run_tests
from seatrial.runner.sync import PodDiffers, PodFiles
from seatrial.runner_pod.known_files import KnownFiles, require_runner
from seatrial.runner_pod.lifecycle import RunnerImage, RunnerPod
from seatrial.stages.cluster import RunningCluster
from seatrial.stages.context import Ctx, Report, RunContext, done
from seatrial.stages.deliver import DeliveredImages
from seatrial.stages.install import Installation
from seatrial.watching.blame_finder import BlameFinder
from seatrial.watching.workload_monitor import WorkloadMonitor

__all__ = ["Runner", "run", "run_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Where the tests run: a pod, or a container of Compose.

    Attributes:
        exec_: commands there.
        where: its name for the header: "pod shop/test-runner in cluster shop".
        namespace: namespace of the pod; empty: a container of Compose.
        directory: working directory of the tests.
        state: returns the state of the container `tests`.
        recreate: recreates the runner, and waits until it runs.
        prestarted: the command that waits for the test run; None: no command waits.
        blame: returns whose fault the failed tests are; default: nothing is known.
    """

    exec_: PodExec
    where: str
    namespace: str
    directory: str
    state: Callable[[], ContainerState]
    recreate: Callable[[], None]
    prestarted: PrestartedExec | None
    blame: Callable[[Sequence[FailedTest]], Sequence[Blame]] = lambda _: ()


def run(
    ctx: Ctx,
    cluster: RunningCluster,
    delivered: DeliveredImages,
    installation: Installation,
    *,
    cut: Callable[[TestRun], None],
) -> Report[TestRun]:
    """Sync the working tree to the runner pod, run the tests in it, and collect their files.

    Args:
        ctx: the run.
        cluster: the cluster, with the command that waits for the test run.
        delivered: images, with that of the runner pod.
        installation: the environment, with the runner pod.
        cut: takes the test run if an exception cuts it off.

    Raises:
        EnvironmentFailed: the run could not be started.
        UsageError: an option of pytest cannot be used here.
    """
    spec = ctx.project.runner

    def state() -> ContainerState:
        try:
            return container_state(ctx.kube.get("v1/Pod", spec.pod, spec.namespace), "tests")
        except EnvironmentFailed:
            # The cluster does not answer. The container may still run.
            return ContainerState(state="running")

    runner = Runner(
        exec_=ctx.kube.exec(spec.pod, spec.namespace),
        where=f"pod {spec.namespace}/{spec.pod} in cluster {ctx.env.cluster.name}",
        namespace=spec.namespace,
        directory=_directory(ctx, delivered.runner),
        state=state,
        recreate=lambda: _recreate(ctx, installation.runner_pod),
        prestarted=cluster.prestarted_exec,
        blame=BlameFinder(
            kube=ctx.kube, project=ctx.project, timeline=ctx.run_dir / TIMELINE_FILE, canceled=ctx.canceled
        ),
    )
    return run_in(ctx, runner, cut=cut)


def run_in(ctx: RunContext, runner: Runner, *, cut: Callable[[TestRun], None]) -> Report[TestRun]:
    """Sync the working tree to a runner, run the tests in it, and collect their files. Raises what `run` raises."""
    spec = ctx.project.runner
    root = host_root(ctx.project)
    services = asked_services(ctx.project, runner.namespace)
    question = RunnerQuestion(runner.exec_, services, fingerprint_key(ctx.env.shared, os.environ))
    ctx.question = question
    terminal = sys.stdin.isatty() and ctx.out.isatty()
    asked = split_command_line(
        spec.command, ctx.pytest_args, root=root, cwd=Path.cwd(), terminal=terminal, reports=spec.report_options
    )
    color = ctx.color if asked.color == "auto" else asked.color == "yes"
    request = Request(
        run=ctx.run,
        argv=asked.argv,
        root=root,
        directory=runner.directory,
        where=runner.where,
        deadline=ctx.deadline.child(ctx.project.timeouts.test),
        env={name: os.environ[name] for name in CI_VARIABLES if name in os.environ},
        artifacts=spec.artifacts,
        collect=spec.collect_into_tree,
        informational=asked.informational,
        # Not only with --pdb: a test may call `breakpoint()`.
        interactive=terminal,
        junit=asked.junit,
        files=asked.files,
        reports=tuple(report_options(spec.report_options)),
        unsure=asked.unsure,
        paths_given=asked.paths_given,
        fixtures=fixture_settings(ctx.project, ctx.record.labels),
        color=color,
        width=shutil.get_terminal_size().columns,
    )

    def attempt(there: PodFiles) -> tuple[Delta, TestRun]:
        tree = expected_tree(
            ctx.project,
            require_runner(ctx.env.directory),
            there.seeded,
            workdir=runner.directory,
            images=ctx.engine_images,
            environ=os.environ,
        )
        delta = plan(tree=tree, pod=there.files, created=() if ctx.discard else there.created)
        for cause in delta.causes if ctx.explain else ():
            ctx.emit(Note(level="info", text=str(cause)))
        ctx.fact(Stage.TEST, "sent", str(len(delta.send)))
        ctx.fact(Stage.TEST, "deleted", str(len(delta.delete)))
        if not delta.empty:
            ctx.progress(Stage.TEST)(f"sending {len(delta.send)} files, deleting {len(delta.delete)}")
        tests = run_tests(
            runner.exec_,
            replace(request, tree=tree, delta=delta, expect=digest(there.files)),
            emit=ctx.emit,
            state=runner.state,
            host_args=asked.host_args,
            run_dir=ctx.run_dir,
            out=ctx.out,
            stop=ctx.canceled,
            started=runner.prestarted.take() if runner.prestarted else None,
            cut=cut,
            blame=runner.blame,
            began=question.begin,
        )
        pod.save(tests.files, tree)
        return delta, tests

    results = [root / ".coverage", *_targets(asked)]
    before = WrittenFiles.stamps(results)
    pod = KnownFiles(
        exec_=runner.exec_, workdir=runner.directory, directory=ctx.env.directory, deadline=request.deadline
    )
    try:
        try:
            delta, tests = attempt(pod.saved() if not ctx.explain else pod.read())
        except PodDiffers as differs:
            # Tests or a user changed files in the pod.
            delta, tests = attempt(pod.with_files(differs.files))
        except BuiltFileChanged as changed:
            ctx.warn(f"{shown(changed.path)}, which the build created, changed in the pod; recreating the pod")
            runner.recreate()
            delta, tests = attempt(pod.read())
    finally:
        WrittenFiles.read(ctx.project.root).record(before, results)
    _record_collected(ctx, root, tests)
    if tests.tree is not None and tests.tree.host != tests.tree.pod:
        # The cause in that pod is unknown, so the next command starts with a new one.
        pod.mark_broken()
    for each in tests.blames:
        ctx.emit(TestBlamed(blame=each))
    facts = {"sent": str(len(delta.send)), "deleted": str(len(delta.delete)), "pytest": f"{tests.seconds:.2f} s"}
    if tests.usage.memory_peak:
        facts["memory"] = f"{tests.usage.memory_peak >> 20} MiB"
    return done(tests, facts)


def _targets(asked: Invocation) -> Iterator[Path]:
    """Yield the paths that options name for reports."""
    if asked.junit:
        yield asked.junit
    for report in asked.files:
        if report.target:
            yield report.target
            if report.companion:
                yield report.target.with_name(report.companion)


def _record_collected(ctx: RunContext, root: Path, tests: TestRun) -> None:
    """Record the files that came into the working tree: the pod has them, so `watch` runs no tests for them."""
    collected = [root / path for path in tests.collected.in_tree]
    WrittenFiles.read(ctx.project.root, COLLECTED).record({}, collected)


def _directory(ctx: Ctx, image: RunnerImage) -> str:
    return ctx.project.runner.workdir or (image.local.workdir if image.local else "") or "/"


def _recreate(ctx: Ctx, pod: RunnerPod) -> None:
    """Recreate the runner pod, and wait until it runs."""
    pod.recreate()
    spec = ctx.project.runner
    target = ("Pod", spec.namespace, spec.pod)
    with WorkloadMonitor(ctx.kube, [target], emit=ctx.emit, canceled=ctx.canceled) as monitor:
        monitor.wait(ctx.deadline.child(ctx.project.timeouts.ready))
