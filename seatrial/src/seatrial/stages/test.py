"""The tests: in the pod, shown here while they happen."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from seatrial.inpod import waits
from seatrial.inpod.definition import definition
from seatrial.inpod.delta import Delta, plan
from seatrial.inpod.options import resolve
from seatrial.inpod.protocol import CI_VARIABLES
from seatrial.inpod.session import Request, TestOutcome, run_tests
from seatrial.inpod.sync import PodDiffers, pod_files
from seatrial.inpod.tree import Entry, Files, Tree, digest, left_out, read_tree
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, Inconclusive, OutOfTime, UsageError
from seatrial.model.event import Note
from seatrial.model.result import Stage
from seatrial.ports import ContainerState
from seatrial.readiness.pod import container_state
from seatrial.stages.context import Ctx, Report, TestsOutcome, done
from seatrial.stages.memory import read, read_runner, write
from seatrial.stages.objects import labels

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
    asked = resolve(spec.command, ctx.pytest_args, root=root, cwd=Path.cwd(), terminal=terminal)
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
        unsure=asked.unsure,
        paths_given=asked.paths_given,
        fixtures=definition(ctx.project, labels(ctx)),
        colour=colour,
        width=shutil.get_terminal_size().columns,
    )

    def state() -> ContainerState:
        try:
            return container_state(ctx.kube.get("v1/Pod", spec.pod, spec.namespace), "tests")
        except EnvironmentFailed:
            # Nobody answers: that says nothing about the container.
            return ContainerState(state="running")

    def attempt(there: Files | None) -> tuple[Delta, TestOutcome]:
        tree = _tree(ctx, root)
        if there is None:
            there = _in_time(lambda: pod_files(exec_, directory, tree.paths), request.deadline)
        delta = _delta(ctx, tree, tree.view(there))
        for cause in delta.causes if ctx.explain else ():
            ctx.emit(Note(level="info", text=str(cause)))
        if not delta.empty:
            ctx.progress(Stage.TEST)(f"sending {len(delta.send)} files, deleting {len(delta.delete)}")
        return delta, run_tests(
            exec_,
            replace(request, tree=tree, delta=delta, expect=digest(there)),
            emit=ctx.emit,
            state=state,
            host_args=asked.host_args,
            run_dir=ctx.run_dir,
            out=ctx.out,
            stop=ctx.cancelled,
            started=ctx.facts.submission.take() if ctx.facts.submission else None,
            cut=keep,
        )

    def keep(outcome: TestOutcome) -> None:
        ctx.facts.tests = TestsOutcome(
            exit=outcome.exit,
            says=f"{outcome.says}: {outcome.why}" if outcome.why else outcome.says,
            counts=outcome.counts,
            tree=outcome.tree,
            interrupted=outcome.interrupted,
        )

    remembered = ctx.env.directory / "pod-files.json"
    known = None if ctx.explain else read(remembered, dict[str, Entry])
    try:
        delta, outcome = attempt(known)
    except PodDiffers as differs:
        # The pod is another one, or its files were touched there: by tests, or by hand.
        delta, outcome = attempt(differs.files)
    write(remembered, outcome.files)
    keep(outcome)
    return done(
        sent=str(len(delta.send)),
        deleted=str(len(delta.delete)),
        pytest=f"{outcome.seconds:.2f} s",
        memory=f"{outcome.memory_peak >> 20} MiB",
    )


def _in_time(ask: Callable[[], Files], deadline: Deadline) -> Files:
    try:
        return waits.call(ask, until=lambda: deadline.passed)
    except waits.Left:
        raise OutOfTime("the tests were not started in their time", why="the runner pod did not answer") from None


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


def _tree(ctx: Ctx, root: Path) -> Tree:
    """Read the working tree.

    Raises:
        UsageError: files that run here are ignored, so that none of them would run there.
    """
    spec = ctx.project.runner
    tree = read_tree(root, [path for path in spec.sync if (root / path).exists()])
    if lost := left_out(root, spec.sync, tree):
        raise UsageError(
            f"nothing of {', '.join(lost)} would reach the runner: what ran would not be what is here",
            why="ignore files leave out all that is in it",
            try_="correct .gitignore or .dockerignore, or take it out of runner.sync",
        )
    return tree


def _delta(ctx: Ctx, tree: Tree, there: Files) -> Delta:
    """Compare the working tree with what the pod has.

    Raises:
        Inconclusive: the image itself changed since it was built, in the seconds between.
    """
    spec = ctx.project.runner
    runner = read_runner(ctx.env.directory)
    built = runner.files if runner else {}
    decided = plan(
        image=built, context=ctx.facts.context, tree=tree.files, pod=there, sync=spec.sync, rebuild=spec.rebuild
    )
    if isinstance(decided, Delta):
        return decided
    raise Inconclusive(
        "files of the image changed while it was being built", why=str(decided.causes[0]), try_="run it again"
    )
