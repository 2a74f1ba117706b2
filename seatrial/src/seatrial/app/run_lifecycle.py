"""Run the pipeline in an environment, and keep or forget the environment afterwards: shared by run, up and test."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from seatrial.app import environments
from seatrial.app.wiring import Machine, compose_environment, environment
from seatrial.config.compose_services import compose_project
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.errors import UsageError
from seatrial.model.event import Sink
from seatrial.model.names import RunId, new_run_id
from seatrial.model.selection import Selection
from seatrial.model.spec import Project
from seatrial.pipeline import COMPOSE_STAGES, STAGES, FinishedRun, Recorder, execute
from seatrial.removal.keep import Fate
from seatrial.removal.resources import Resources
from seatrial.stages.context import ComposeCtx, Ctx

__all__ = ["Output", "run_in_environment"]

_RUNS_KEPT: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the events and the output of a run go.

    Attributes:
        sinks: returns the sinks of a run, given its directory.
        out: takes the output of pytest.
        color: whether to color `out`.
    """

    sinks: Callable[[Path], Sequence[Sink]]
    out: TextIO
    color: bool


def run_in_environment(
    this: Machine,
    project: Project,
    record: EnvironmentRecord,
    *,
    output: Output,
    command: Sequence[str],
    keep: str,
    tests: bool,
    only_cluster: bool = False,
    explain: bool = False,
    discard: bool = False,
    selection: Selection | None = None,
    pytest_args: tuple[str, ...] = (),
) -> FinishedRun:
    """Run the pipeline in a locked environment, then unlock the environment or delete its record.

    Args:
        this: the machine.
        project: the project.
        record: the environment; it is unlocked or its record is deleted when this returns.
        output: where the events and the output go.
        command: name and arguments of the command, for events.jsonl.
        keep: never, on-failure or always.
        tests: run the tests; else only bring the environment up.
        only_cluster: create the cluster and nothing in it.
        explain: print the consequence of each changed file.
        discard: delete files in the pod that earlier runs created there.
        selection: options of the command that select the project and the environment, for events.jsonl.
        pytest_args: arguments for pytest.
    """
    resources = Resources(record, this.ledger.write)
    fate = Fate.LEFT
    with ExitStack() as ends:
        # Last of all, and whatever fails before: an environment that is not unlocked stays in use.
        ends.callback(lambda: environments.settle(this, resources.record, fate))
        started = this.clock.now()
        run = new_run_id(started)
        run_dir = _run_directory(project.root, run)
        sinks = output.sinks(run_dir)
        ends.callback(_close, sinks)
        peak = this.memory_peak()
        ends.callback(peak.close)
        recorder = Recorder(run, this.clock, sinks)
        given: Mapping[str, Any] = {
            "project": project,
            "resources": resources,
            "run": run,
            "run_dir": run_dir,
            "command": tuple(command),
            "started": started,
            "emit": recorder,
            "deadline": Deadline.after(project.timeouts.run),
            "keep": keep,
            "explain": explain,
            "discard": discard,
            "selection": selection or Selection(),
            "pytest_args": pytest_args,
            "out": output.out,
            "color": output.color,
            "at_end": ends.enter_context(ExitStack()),
            "tests": tests,
        }
        ended, lease = _execute(
            this, project, record, given, only_cluster=only_cluster, peak=lambda: peak.bytes, recorder=recorder
        )
        fate = ended.fate
        if record.shares and not record.kept and not lease:
            # The run did not get into the cluster, so there is nothing to remove.
            fate = Fate.REMOVED
    return ended


def _execute(
    this: Machine,
    project: Project,
    record: EnvironmentRecord,
    given: Mapping[str, Any],
    *,
    only_cluster: bool,
    peak: Callable[[], int],
    recorder: Recorder,
) -> tuple[FinishedRun, bool]:
    """Run the plan of the environment's kind; return the result, and whether the run held a Lease."""
    if record.provider == "compose":
        compose = compose_environment(this, record)
        plan = compose.plan if given["tests"] else compose.plan_without_tests
        compose_ctx = ComposeCtx(env=compose, **{**given, "project": compose_project(project)})
        return execute(compose_ctx, plan, peak=peak, lost=recorder.lost, functions=COMPOSE_STAGES), False
    env = environment(this, project, record)
    ctx = Ctx(env=env, **given)
    plan = env.plan if ctx.tests else env.plan_of_a_cluster if only_cluster else env.plan_without_tests
    ended = execute(ctx, plan, peak=peak, lost=recorder.lost, functions=STAGES)
    return ended, ctx.lease is not None


def _run_directory(root: Path, run: RunId) -> Path:
    """Create the directory of a run, point `latest` to it, and delete the oldest directories.

    Raises:
        UsageError: it cannot be created.
    """
    runs = root / ".seatrial" / "runs"
    directory, latest = runs / run, runs / "latest"
    if latest.is_dir() and not latest.is_symlink():
        raise UsageError(
            f"{latest} is a directory",
            reason="seatrial keeps a symbolic link of that name, which points to the newest run",
            hint=f"mv {shlex.quote(str(latest))} {shlex.quote(str(latest))}.old",
        )
    fresh = runs / f".latest-{run}"
    try:
        # Readable by this user only: output of tests and containers may contain secrets.
        for private in (runs.parent, runs, directory):
            private.mkdir(mode=0o700, parents=True, exist_ok=private is not directory)
        runs.chmod(0o700)
        fresh.symlink_to(run)
        fresh.replace(latest)
        old = sorted(each for each in runs.iterdir() if each.is_dir() and not each.is_symlink())[:-_RUNS_KEPT]
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
            directory.rmdir()
        raise UsageError(f"cannot write below {runs}", reason=str(error.strerror)) from error
    import shutil  # noqa: PLC0415

    for each in old:
        shutil.rmtree(each, ignore_errors=True)
    return directory


def _close(sinks: Sequence[Sink]) -> None:
    for sink in sinks:
        with suppress(OSError):
            sink.close()
