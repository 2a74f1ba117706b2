from __future__ import annotations

import msgspec
from compose.fake_compose import STAMP
from seatrial.model.environment_facts import EnvironmentFacts, EnvironmentKind
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.model.event import FindingMade, Note
from seatrial.model.verdict import Verdict
from seatrial.runner.run_tests import TestRun
from seatrial.stages.compose import collect

FAILED = TestRun(verdict=Verdict(exit=ExitCode.TESTS_FAILED, message="1 failed"))


def test_new_environment_has_all_logs_and_its_image_sizes(world):
    world.compose.texts = {"shop-aa-web-1": b"hello"}
    report = collect.run(world.ctx(), None, failed=False)

    assert report.result.images_size == 3000
    assert report.facts["logs"] == "1"
    assert world.compose.since == [None] * 3


def test_passed_run_in_a_kept_environment_has_its_own_lines(world):
    world.keep()
    ctx = world.ctx()
    world.clock.advance(7)
    collect.run(ctx, None, failed=False)

    assert set(world.compose.since) == {8}


def test_failed_tests_probe_the_services(world):
    world.compose.pod.chunks = [b'{"name": "web", "message": "Connection refused"}\n']
    report = collect.run(world.ctx(), FAILED, failed=True)

    (finding,) = report.findings
    assert finding.cause == "NoAnswer"
    assert [made.finding for made in world.recorded.of(FindingMade)] == [finding]
    assert (world.root / "run/bundle/containers.json").exists()


def test_engine_that_does_not_answer_is_a_warning(world):
    def fails():
        raise EnvironmentFailed("docker failed")

    world.compose.containers = fails
    collect.run(world.ctx(), None, failed=True)

    assert [note.text for note in world.recorded.of(Note)] == ["no logs were collected: docker failed"]


def test_nothing_is_collected_without_containers(world):
    world.compose.present = []

    assert collect.run(world.ctx(), None, failed=True).facts == {}


def test_run_with_tests_records_facts(world):
    world.compose.texts = {"shop-aa-web-1": b"hello"}
    ctx = world.ctx(tests=True)
    ctx.run_dir.mkdir(parents=True, exist_ok=True)
    collect.run(ctx, None, failed=False)

    facts = msgspec.json.decode((ctx.run_dir / "facts.json").read_bytes(), type=EnvironmentFacts)
    assert (facts.kind, facts.runner, facts.runner_problem) == (
        EnvironmentKind.COMPOSE,
        None,
        "there was no container of the tests",
    )
    assert [(each.name, each.log) for each in facts.containers] == [("web", len(STAMP) + 5)]


def test_run_without_tests_records_none(world):
    ctx = world.ctx()
    collect.run(ctx, None, failed=False)

    assert not (ctx.run_dir / "facts.json").exists()
