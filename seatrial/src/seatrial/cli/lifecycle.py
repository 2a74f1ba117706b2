"""What `run`, `up` and `test` share: session, run directory, sinks, pipeline, and what is left after."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from seatrial.cli import sessions
from seatrial.cli.options import Context
from seatrial.cli.wiring import Machine, environment
from seatrial.model.deadline import Deadline
from seatrial.model.errors import ExitCode, UsageError
from seatrial.model.names import RunId, new_run_id
from seatrial.model.result import Stage
from seatrial.model.session import Made, Session
from seatrial.pipeline import Ended, Recorder, execute
from seatrial.sinks import Sink
from seatrial.stages.context import Ctx

__all__ = ["finish", "go"]

_RUNS_KEPT: Final = 30


def go(
    context: Context,
    this: Machine,
    session: Session,
    *,
    command: Sequence[str],
    keep: str,
    tests: bool,
    only_cluster: bool = False,
    explain: bool = False,
    pytest_args: tuple[str, ...] = (),
) -> Ended:
    """Run the pipeline in a session that is ours, and settle what becomes of the session.

    Args:
        context: the command line.
        this: the machine.
        session: the session; it is released or forgotten when this returns.
        command: what the user typed, for the record.
        keep: never, on-failure or always.
        tests: whether to run the tests, or only bring the environment up.
        only_cluster: make the cluster and nothing in it.
        explain: tell of each file that changed what that means.
        pytest_args: what the user added for pytest.
    """
    project = context.project
    started = this.clock.now()
    run = new_run_id(started)
    run_dir = _run_directory(project.root, run)
    sinks = context.sinks(run_dir)
    peak = this.memory_peak()
    held = [session]

    def remember(made: Made) -> None:
        held[0] = sessions.remember(this, held[0], made)

    env = environment(this, project, session)
    ctx = Ctx(
        project=project,
        env=env,
        session=session,
        run=run,
        run_dir=run_dir,
        command=tuple(command),
        started=started,
        emit=Recorder(run, this.clock, sinks),
        deadline=Deadline.after(project.timeouts.run),
        keep=keep,
        explain=explain,
        pytest_args=pytest_args,
        out=context.out,
        color=context.color(context.out),
        remember=remember,
        tests=tests,
    )
    plan = env.plan if tests else env.plan_of_a_cluster if only_cluster else env.plan_without_tests
    gone = False
    try:
        ended = execute(ctx, plan, peak=lambda: peak.bytes)
        gone = _is_gone(ended)
    finally:
        if ctx.facts.submission is not None:
            ctx.facts.submission.leave()
        if ctx.lease is not None:
            ctx.lease.release()
        peak.close()
        _close(sinks)
        # What never got into the cluster has made nothing there.
        gone = gone or (session.shares and ctx.lease is None and not session.kept)
        # Whatever is still there keeps its record: kept for the next command, or found dead and reaped by it.
        sessions.settle(this, held[0], gone=gone, keep=not gone and _stays(ctx))
    return ended


def finish(context: Context, ended: Ended) -> ExitCode:
    """Print the result where it is asked for, and return what the process ends with; raise what stopped the run."""
    if context.as_json:
        context.print_result(ended.result, "")
    if ended.problem is not None:
        raise ended.problem
    if ended.result.exit is ExitCode.INTERRUPTED:
        # The tests ended themselves, in good order; the process still has to end as one that was interrupted.
        raise KeyboardInterrupt
    return ended.result.exit


def _is_gone(ended: Ended) -> bool:
    """Whether nothing is left of the session."""
    torn = [each for each in ended.result.stages if each.stage is Stage.TEARDOWN]
    return bool(torn) and torn[0].outcome == "done"


def _stays(ctx: Ctx) -> bool:
    """Whether what is there is worth keeping: it came to be of use, and nobody asked for its end."""
    return ctx.facts.usable and (
        ctx.keep == "always" or (ctx.keep == "on-failure" and ctx.failed) or not (ctx.facts.fresh or ctx.session.shares)
    )


def _run_directory(root: Path, run: RunId) -> Path:
    """Make the directory of a run and point `latest` to it; forget runs of long ago."""
    runs = root / ".seatrial" / "runs"
    directory = runs / run
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot write below {root}", why=str(error.strerror)) from error
    fresh = runs / f".latest-{run}"
    fresh.symlink_to(run)
    fresh.replace(runs / "latest")
    import shutil  # noqa: PLC0415

    for old in sorted(each for each in runs.iterdir() if each.is_dir() and not each.is_symlink())[:-_RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return directory


def _close(sinks: Sequence[Sink]) -> None:
    for sink in sinks:
        with suppress(OSError):
            sink.close()
