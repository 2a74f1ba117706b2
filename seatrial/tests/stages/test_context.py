"""What every stage receives and returns."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes import World
from seatrial.model.errors import CommandFailed
from seatrial.model.event import Note, StageProgress
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Outcome, Stage
from seatrial.model.spec import NamespaceSpec, Project, RunnerSpec
from seatrial.model.timeline import RecordingRecord, decode_timeline
from seatrial.stages.context import Ctx, done, unchanged


def test_reports_have_result_outcome_and_facts() -> None:
    finding = Finding(cause="Slow", subject=ObjectRef(kind="Pod", name="web"), message="m")
    changed, same = done(1, {"images": "2"}, (finding,)), unchanged(2)

    assert (changed.result, changed.outcome, changed.facts, changed.findings) == (
        1, Outcome.DONE, {"images": "2"}, (finding,),
    )  # fmt: skip
    assert (same.result, same.outcome, same.facts, same.findings) == (2, Outcome.UNCHANGED, {}, ())
    assert done(None).facts == {}


def test_run_creates_the_cluster_unless_an_earlier_command_did(world: World, tmp_path: Path) -> None:
    assert world.ctx().is_new
    assert not world.ctx(kept=True).is_new
    assert not World(tmp_path, provider="existing").ctx().is_new


def test_api_of_the_cluster_requires_a_connection(world: World) -> None:
    ctx = world.ctx(connected=False)
    assert not ctx.is_connected
    with pytest.raises(AssertionError, match="cluster stage"):
        _ = ctx.kube

    assert ctx.connect() is ctx.kube
    assert ctx.is_connected


@pytest.mark.parametrize(("keep", "kept"), [("always", True), ("on-failure", False), ("never", False)])
def test_owner_is_the_environment_of_the_run(tmp_path: Path, keep: str, kept: bool) -> None:
    project = Project(
        root=tmp_path, runner=RunnerSpec(image="runner:1"), namespace=NamespaceSpec(pod_security="restricted")
    )
    ctx = World(tmp_path, project, namespace="guest").ctx(keep=keep)

    assert (ctx.owner.kept, ctx.owner.environment, ctx.owner.pod_security) == (kept, "guest", "restricted")
    assert ctx.owner.labels == ctx.record.labels


def test_end_of_the_run_waits_for_work_beside_the_stages(world: World) -> None:
    ctx, done_of = world.ctx(), list[str]()

    def fails() -> None:
        raise CommandFailed(["docker", "rmi", "shop:1"], 1, "conflict")

    def works() -> None:
        time.sleep(0.05)
        done_of.append("works")

    ctx.beside(fails)
    ctx.beside(works)
    ctx.at_end.close()

    assert done_of == ["works"]


def test_log_files_are_in_the_directory_of_the_run(world: World) -> None:
    ctx = world.ctx()

    assert ctx.log("build") == ctx.run_dir / "logs" / "build.log"


def test_progress_and_warnings_are_events(world: World) -> None:
    ctx = world.ctx()
    ctx.progress(Stage.BUILD)("step 3")
    ctx.warn("careful")

    assert world.recorded.bodies == [
        StageProgress(stage=Stage.BUILD, text="step 3"), Note(level="warning", text="careful"),
    ]  # fmt: skip


def test_facts_of_stages_are_separate(world: World) -> None:
    ctx = world.ctx()
    ctx.fact(Stage.BUILD, "web", "building")
    ctx.fact(Stage.CLUSTER, "name", "it")
    ctx.fact(Stage.BUILD, "web", "web:1")

    assert ctx.facts == {Stage.BUILD: {"web": "web:1"}, Stage.CLUSTER: {"name": "it"}}


def test_recording_covers_the_whole_cluster_if_it_belongs_to_the_environment(world: World) -> None:
    ctx = world.ctx()
    ctx.record_cluster()

    assert recorded_namespaces(ctx) == ((), "")


def test_recording_of_a_shared_cluster_covers_namespaces_of_the_environment_and_its_tests(tmp_path: Path) -> None:
    runner = RunnerSpec(image="r:1", namespace="shop", isolated_namespaces=True)
    world = World(tmp_path, Project(root=tmp_path, runner=runner), provider="existing", identity="shop-1")
    ctx = world.ctx()
    ctx.record_cluster()

    assert recorded_namespaces(ctx) == (("shop",), "shop")


def test_recording_ends_with_the_run_if_collecting_does_not_end_it(world: World) -> None:
    ctx = world.ctx()
    ctx.record_cluster()
    ctx.at_end.close()

    states = [each.state for each in recording(ctx)]
    assert states == ["started", "ended"]


def recording(ctx: Ctx) -> list[RecordingRecord]:
    records = decode_timeline((ctx.run_dir / "timeline.jsonl").read_bytes())
    return [each for each in records if isinstance(each, RecordingRecord)]


def recorded_namespaces(ctx: Ctx) -> tuple[tuple[str, ...], str]:
    return recording(ctx)[0].namespaces, recording(ctx)[0].isolated_for
