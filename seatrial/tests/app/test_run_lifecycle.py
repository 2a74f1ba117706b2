from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from seatrial.app import run_lifecycle
from seatrial.app.run_lifecycle import Output, run_in_environment
from seatrial.model.errors import ExitCode, UsageError
from seatrial.model.names import RunId
from seatrial.model.result import RunResult
from seatrial.model.spec import ComposeSpec, ServiceSpec
from seatrial.pipeline import COMPOSE_STAGES, STAGES, FinishedRun
from seatrial.removal.keep import Fate
from seatrial.stages.context import Ctx


class Sink:
    """A sink that records that it was closed."""

    closed = False

    def __call__(self, _event: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def execute(monkeypatch):
    """Let the pipeline end with a fate; returns the contexts of its runs."""
    contexts: list[Ctx] = []

    def execute(fate: Fate | Exception) -> list[Ctx]:
        def replaced(ctx: Ctx, plan, *, peak: Callable[[], int], lost, functions) -> FinishedRun:
            assert functions is (COMPOSE_STAGES if ctx.record.provider == "compose" else STAGES)
            contexts.append(ctx)
            if isinstance(fate, Exception):
                raise fate
            result = RunResult(
                run=ctx.run, environment=ctx.record.id, started=datetime(2026, 1, 1, tzinfo=UTC), seconds=1.0,
                exit=ExitCode.PASSED, verdict="", peak_memory=peak(),
            )  # fmt: skip
            return FinishedRun(result, fate, None)

        monkeypatch.setattr(run_lifecycle, "execute", replaced)
        return contexts

    return execute


def go(machines, record, this, sink=None, *, project=None, **settings):
    output = Output(sinks=lambda _: [sink or Sink()], out=io.StringIO(), color=False)
    return run_in_environment(
        this,
        project or machines.project,
        record,
        output=output,
        command=("up",),
        keep="always",
        tests=False,
        **settings,
    )


def test_kept_environment_is_unlocked_with_a_new_expiry(machines, execute):
    execute(Fate.KEPT)
    this = machines.machine()
    record = machines.new(this, command="up")

    go(machines, record, this)

    kept = machines.this.ledger.record(record.id)
    assert kept.kept
    assert machines.machine().ledger.claim(record.id)


def test_removed_environment_loses_its_record(machines, execute):
    execute(Fate.REMOVED)
    this = machines.machine()

    go(machines, machines.new(this), this)

    assert machines.this.ledger.records() == []


def test_environment_is_unlocked_and_sinks_are_closed_after_an_exception(machines, execute):
    execute(ZeroDivisionError())
    this, sink = machines.machine(), Sink()
    record = machines.new(this)

    with pytest.raises(ZeroDivisionError):
        go(machines, record, this, sink)

    assert sink.closed
    assert machines.machine().ledger.claim(record.id)


def test_run_in_compose_finds_services_in_the_compose_file(machines, execute):
    contexts, this = execute(Fate.KEPT), machines.machine()
    project = replace(
        machines.project,
        environment="compose",
        service={"api": ServiceSpec(port=80)},
        compose=ComposeSpec(file=Path("compose.yaml"), env={"SEATRIAL_SERVICE_API": "backend:8080"}),
    )
    go(machines, machines.new(this, project=project), this, project=project)

    assert contexts[0].project.service == {"api": ServiceSpec(port=8080, name="backend")}


def test_run_directory_is_private_and_latest_points_to_it(machines, execute):
    (ctx,) = [execute(Fate.KEPT)]
    this = machines.machine()
    go(machines, machines.new(this), this)
    directory = ctx[0].run_dir

    assert directory.parent == machines.root / ".seatrial" / "runs"
    assert directory.stat().st_mode & 0o077 == 0
    assert os.readlink(directory.parent / "latest") == directory.name  # noqa: PTH115 - the text of the link


def test_oldest_run_directories_are_deleted(tmp_path):
    for number in range(32):
        run_lifecycle._run_directory(tmp_path, RunId(f"20260101-0000{number:02}-aaaa"))

    names = sorted(path.name for path in (tmp_path / ".seatrial/runs").iterdir() if not path.is_symlink())
    assert (len(names), names[0]) == (30, "20260101-000002-aaaa")


def test_directory_named_latest_is_a_usage_error(tmp_path):
    (tmp_path / ".seatrial/runs/latest").mkdir(parents=True)

    with pytest.raises(UsageError, match="latest is a directory") as caught:
        run_lifecycle._run_directory(tmp_path, RunId("20260101-000000-aaaa"))
    assert caught.value.hint.endswith("latest.old")


def test_unwritable_directory_is_a_usage_error(tmp_path):
    (tmp_path / ".seatrial").write_text("a file")

    with pytest.raises(UsageError, match="cannot write below"):
        run_lifecycle._run_directory(tmp_path, RunId("20260101-000000-aaaa"))
