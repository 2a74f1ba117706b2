"""Test stage: sync the working tree, run pytest in the runner pod and stream its results."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from msgspec.structs import replace as changed

from seatrial.image_inputs.delta import Delta, Lost, image_needs, plan
from seatrial.image_inputs.working_tree import Files, Tree, below, digest, read_tree, shown
from seatrial.images.input_reader import read_inputs
from seatrial.images.written_files import WrittenFiles
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, Inconclusive, OutOfTime
from seatrial.model.event import Note
from seatrial.model.result import Stage
from seatrial.ports import ContainerState, PodExec
from seatrial.readiness.pod import container_state
from seatrial.runner import blocking_calls
from seatrial.runner.fixture_settings import fixture_settings
from seatrial.runner.options import Invocation, report_options, split_command_line
from seatrial.runner.protocol import CI_VARIABLES
from seatrial.runner.run_tests import Request, TestRun, run_tests
from seatrial.runner.sync import PodDiffers, PodFiles, pod_files
from seatrial.saved_state import PodFilesRecord, RunnerRecord, read, read_runner, write
from seatrial.stages.context import Ctx, Report, done
from seatrial.watching.workload_monitor import WorkloadMonitor

__all__ = ["run"]


def run(ctx: Ctx) -> Report:
    """Bring the runner's files up to date, run the tests in it, and bring home what they leave.

    Raises:
        EnvironmentFailed: the run could not be started.
        UsageError: an option of pytest's cannot be used here.
    """
    spec = ctx.project.runner
    root = _root(ctx)
    terminal = sys.stdin.isatty() and ctx.out.isatty()
    asked = split_command_line(
        spec.command, ctx.pytest_args, root=root, cwd=Path.cwd(), terminal=terminal, reports=spec.report_options
    )
    exec_ = ctx.kube.exec(spec.pod, spec.namespace)
    directory = _directory(ctx)
    colour = ctx.color if asked.colour == "auto" else asked.colour == "yes"
    request = Request(
        run=ctx.run,
        argv=asked.argv,
        root=root,
        directory=directory,
        where=f"pod {spec.namespace}/{spec.pod} in cluster {ctx.env.cluster.name}",
        deadline=ctx.deadline.child(ctx.project.timeouts.test),
        env={name: os.environ[name] for name in CI_VARIABLES if name in os.environ},
        artifacts=spec.artifacts,
        informational=asked.informational,
        # Not with --pdb alone: a `breakpoint()` in a test says nothing of itself beforehand.
        interactive=terminal,
        junit=asked.junit,
        files=asked.files,
        reports=tuple(report_options(spec.report_options)),
        unsure=asked.unsure,
        paths_given=asked.paths_given,
        fixtures=fixture_settings(ctx.project, ctx.record.labels),
        colour=colour,
        width=shutil.get_terminal_size().columns,
    )

    def state() -> ContainerState:
        try:
            return container_state(ctx.kube.get("v1/Pod", spec.pod, spec.namespace), "tests")
        except EnvironmentFailed:
            # Nobody answers: that says nothing about the container.
            return ContainerState(state="running")

    def attempt(there: PodFiles) -> tuple[Delta, TestRun]:
        tree = _tree(ctx, root, there.seeded)
        delta = plan(tree=tree, pod=there.files)
        for cause in delta.causes if ctx.explain else ():
            ctx.emit(Note(level="info", text=str(cause)))
        if not delta.empty:
            ctx.progress(Stage.TEST)(f"sending {len(delta.send)} files, deleting {len(delta.delete)}")
        return delta, run_tests(
            exec_,
            replace(request, tree=tree, delta=delta, expect=digest(there.files)),
            emit=ctx.emit,
            state=state,
            host_args=asked.host_args,
            run_dir=ctx.run_dir,
            out=ctx.out,
            stop=ctx.cancelled,
            started=ctx.facts.prestarted_exec.take() if ctx.facts.prestarted_exec else None,
            cut=keep,
        )

    def keep(tests: TestRun) -> None:
        ctx.facts.tests = tests

    results = [root / ".coverage", *_targets(asked)]
    before = WrittenFiles.stamps(results)
    pod = _Pod(ctx, exec_, directory, request.deadline)
    try:
        try:
            delta, tests = attempt(pod.known() if not ctx.explain else pod.read())
        except PodDiffers as differs:
            # Its files were touched there: by tests, or by hand.
            delta, tests = attempt(PodFiles(differs.files, pod.read().seeded))
        except Lost as lost:
            ctx.warn(f"{shown(lost.path)}, which the build created, changed in the pod; recreating the pod")
            _recreate(ctx)
            delta, tests = attempt(pod.read())
    finally:
        WrittenFiles.read(ctx.project.root).record(before, results)
    pod.remember(tests.files)
    if tests.tree is not None and tests.tree.host != tests.tree.pod:
        # Whatever is wrong in that pod: the next command begins in a new one.
        pod.give_up()
    keep(tests)
    facts = {"sent": str(len(delta.send)), "deleted": str(len(delta.delete)), "pytest": f"{tests.seconds:.2f} s"}
    if tests.memory_peak:
        facts["memory"] = f"{tests.memory_peak >> 20} MiB"
    return done(**facts)


def _targets(asked: Invocation) -> Iterator[Path]:
    """Yield where files are copied to that options ask for."""
    if asked.junit:
        yield asked.junit
    for report in asked.files:
        if report.target:
            yield report.target
            if report.companion:
                yield report.target.with_name(report.companion)


def _in_time(ask: Callable[[], PodFiles], deadline: Deadline) -> PodFiles:
    try:
        return blocking_calls.call(ask, until=lambda: deadline.passed)
    except blocking_calls.Abandoned:
        raise OutOfTime("the tests were not started in their time", reason="the runner pod did not answer") from None


def _root(ctx: Ctx) -> Path:
    """Return what the runner's working directory is on this machine: the context of its image, else the project."""
    for image in ctx.project.image:
        if image.name == ctx.project.runner.image:
            return image.context
    return ctx.project.root


def _directory(ctx: Ctx) -> str:
    spec = ctx.project.runner
    local = ctx.facts.images.get(ctx.facts.tags.get(spec.image, spec.image))
    return spec.workdir or (local.workdir if local else "") or "/"


class _Pod:
    """What is known of the files in the runner pod."""

    def __init__(self, ctx: Ctx, exec_: PodExec, directory: str, deadline: Deadline) -> None:
        self._ctx = ctx
        self._deadline = deadline
        self._exec = exec_
        self._directory = directory
        self._state_file = ctx.env.directory / "pod-files.json"
        self._seeded: Files = {}

    def known(self) -> PodFiles:
        """Return what is remembered of this pod; else what it says."""
        found = read(self._state_file, PodFilesRecord)
        if found is None or found.uid != self._runner.uid:
            return self.read()
        self._seeded = found.seeded
        return PodFiles(found.files, found.seeded)

    def read(self) -> PodFiles:
        """Return what the pod says."""
        places = self._runner.places
        found = _in_time(lambda: pod_files(self._exec, self._directory, places), self._deadline)
        self._seeded = found.seeded
        return found

    def remember(self, files: Files) -> None:
        """Write down what the pod has now."""
        write(self._state_file, PodFilesRecord(uid=self._runner.uid, files=dict(files), seeded=dict(self._seeded)))

    def give_up(self) -> None:
        """Write down that the pod cannot be brought up to date."""
        write(self._ctx.env.directory / "runner.json", changed(self._runner, broken=True))

    @property
    def _runner(self) -> RunnerRecord:
        return _runner(self._ctx)


def _runner(ctx: Ctx) -> RunnerRecord:
    runner = read_runner(ctx.env.directory)
    if runner is None:
        raise EnvironmentFailed("the record of the runner pod is missing", hint="run the command again")
    return runner


def _recreate(ctx: Ctx) -> None:
    """Have a new runner pod, and wait until it runs."""
    assert ctx.facts.runner_pod is not None, "the install stage comes first"  # noqa: S101
    ctx.facts.runner_pod.recreate()
    spec = ctx.project.runner
    target = ("Pod", spec.namespace, spec.pod)
    with WorkloadMonitor(ctx.kube, [target], emit=ctx.emit, cancelled=ctx.cancelled) as monitor:
        monitor.wait(ctx.deadline.child(ctx.project.timeouts.ready))


def _tree(ctx: Ctx, root: Path, seeded: Files) -> Tree:
    """Read what the pod has to have.

    Raises:
        Inconclusive: files that need a build changed since the image was built, in the seconds between.
    """
    spec, pod = ctx.project.runner, _runner(ctx)
    image = next((image for image in ctx.project.image if image.name == spec.image), None)
    if image is None:
        return read_tree(root, pod.places)
    present = ctx.engine_images.present(pod.manifest.bases)
    given = read_inputs(ctx.project, image, os.environ, present)
    places = given.places(_directory(ctx), pod.places, pod.manifest)
    if causes := image_needs(pod.manifest, given.manifest, places=places, rebuild=spec.rebuild):
        raise Inconclusive("files of the image changed after it was built", reason=str(causes[0]), hint="run it again")
    files = given.manifest.files
    generated = {path: entry for path, entry in seeded.items() if path not in pod.manifest.files}
    modules = {path: entry for path, entry in files.items() if below(path, spec.sync)}
    return Tree(root, pod.places, files, pod.manifest.files, generated, modules)
