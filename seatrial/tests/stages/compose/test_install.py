from __future__ import annotations

import json

import pytest
from compose.fake_compose import container
from msgspec.structs import replace
from seatrial.compose.startup import compose_path
from seatrial.model.errors import CommandFailed, NotReady, UsageError
from seatrial.model.event import FindingMade
from seatrial.model.result import Outcome
from seatrial.model.spec import ComposeSpec, ImageSpec
from seatrial.stages.build import BuiltImages
from seatrial.stages.compose import install, preflight


def run(world, **more):
    ctx = world.ctx(**more)
    return install.run(ctx, preflight.run(ctx).result, world.built)


def test_project_is_started_and_recorded(world):
    report = run(world)

    assert report.outcome is Outcome.DONE
    assert [str(each) for each in world.written[-1].resources] == ["Compose project shop-aa"]
    assert [(each.reference, each.digest) for each in report.result.used] == [
        ("web:1", "sha256:w"),
        ("runner:1", "sha256:r"),
    ]


def test_unchanged_project_of_a_kept_environment_is_left_alone(world):
    first = run(world).result
    first.start.save(first.containers)
    world.keep()
    report = run(world)

    assert report.outcome is Outcome.UNCHANGED
    assert world.compose.log.count("up") == 1


def test_prestarted_command_is_abandoned_before_the_runner_changes(world):
    world.keep()
    run(world, tests=True)

    assert world.compose.pod.started[0].left.wait(5)


def test_service_runs_the_image_of_the_project(world):
    world.built = BuiltImages(references={"shop": "shop:4f1c"}, local={}, runner=None, places=())
    world.project = replace(
        world.project,
        image=(ImageSpec(name="shop", context=world.root),),
        compose=ComposeSpec(file=world.root / "compose.yaml", images={"web": "shop"}),
    )
    run(world)
    file = json.loads(compose_path(world.root / "env").read_text())

    assert file["services"]["web"]["image"] == "shop:4f1c"


def test_runner_image_without_tag_is_a_usage_error(world):
    world.project = replace(world.project, runner=replace(world.project.runner, image="runner"))

    with pytest.raises(UsageError, match="has no tag"):
        run(world)


def test_findings_of_a_failed_start_are_events(world):
    def fails(_):
        world.compose.present = [container("web", Running=False, Status="exited", ExitCode=3)]
        world.compose.texts = {"shop-aa-web-1": b"no such table\n"}
        raise CommandFailed(["docker", "compose"], 1, "dependency failed to start: container shop-aa-web-1 exited (3)")

    world.compose.ups = fails
    with pytest.raises(NotReady):
        run(world)

    (made,) = world.recorded.of(FindingMade)
    assert (made.finding.cause, made.finding.evidence) == ("Crash", ("no such table",))
