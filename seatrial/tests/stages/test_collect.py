"""The collect stage: how much is collected, and which services are probed, by how the run ended."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from fakes import World
from seatrial.model.errors import ExitCode
from seatrial.model.event import FindingMade, Note
from seatrial.model.spec import Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.model.verdict import Verdict
from seatrial.ports import StreamBroken
from seatrial.runner.run_tests import TestRun
from seatrial.saved_state import Answered, write
from seatrial.stages import collect
from shop_world import pod


class TestProbes:
    @pytest.fixture
    def world(self, tmp_path):
        service = {"web": ServiceSpec(port=80, ready=ReadySpec(http="/"))}
        return World(
            tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="r:1", namespace="shop"), service=service)
        )

    def collected(self, world, code, *, answers=b'{"name": "web", "message": "Connection refused"}\n'):
        tests = TestRun(verdict=Verdict(exit=code, message="it"))
        world.kube.pod.chunks = [answers]
        return collect.run(world.ctx(), None, tests, failed=code is not ExitCode.PASSED)

    @pytest.mark.parametrize("code", [ExitCode.TESTS_FAILED, ExitCode.INCONCLUSIVE])
    def test_service_that_does_not_answer_is_a_finding(self, world, code):
        report = self.collected(world, code)

        assert [(each.subject.name, each.message) for each in report.findings] == [
            ("web", "service web does not answer as declared: Connection refused")
        ]
        assert [body.finding for body in world.recorded.of(FindingMade)] == list(report.findings)

    def test_service_that_answers_is_no_finding(self, world):
        assert self.collected(world, ExitCode.TESTS_FAILED, answers=b'{"name": "web", "message": ""}\n').findings == ()

    @pytest.mark.parametrize("code", [ExitCode.PASSED, ExitCode.INTERRUPTED, ExitCode.NO_TESTS])
    def test_services_are_not_probed_after_passed_or_interrupted_tests(self, world, code):
        self.collected(world, code)

        assert world.kube.pod.asked == []

    def test_pods_that_changed_during_the_tests_are_named(self, world):
        world.kube.put(pod())
        write(world.env().directory / "answered.json", Answered(questions="q", pods={"other": "web-0 0 True then"}))
        self.collected(world, ExitCode.TESTS_FAILED)

        assert any("web-0, web-1" in note.text for note in world.recorded.of(Note))

    def test_cluster_that_does_not_answer_is_no_finding(self, world):
        world.kube.pod.fails = StreamBroken("cut")

        assert self.collected(world, ExitCode.TESTS_FAILED, answers=b"").findings == ()


class TestAmount:
    @pytest.mark.parametrize(
        ("fresh", "failed", "whole"), [(True, False, True), (False, True, True), (False, False, False)]
    )
    def test_run_that_passed_in_a_kept_environment_reads_no_older_lines(self, world, fresh, failed, whole):
        world.kube.put(pod())
        ctx = world.ctx(kept=not fresh)
        ctx.started = ctx.env.clock.now() - timedelta(seconds=10)
        collect.run(ctx, None, None, failed=failed)

        (since,) = world.kube.since
        assert (since is None) if whole else (10 < since < 20)

    @pytest.mark.parametrize("failed", [True, False])
    def test_bundle_is_written_after_a_failure_only(self, world, failed):
        ctx = world.ctx()
        facts = collect.run(ctx, None, None, failed=failed).facts

        assert facts == ({"logs": "0", "bundle": str(ctx.run_dir / "bundle")} if failed else {"logs": "0"})
        assert (ctx.run_dir / "bundle" / "nodes.json").exists() is failed

    @pytest.mark.parametrize(
        ("outcome", "limit"),
        [
            ((ExitCode.PASSED, None), 60.0),
            ((ExitCode.OUT_OF_TIME, None), 5.0),
            ((ExitCode.INTERRUPTED, KeyboardInterrupt()), 1.5),
        ],
    )
    def test_less_patience_after_a_timeout_or_an_interrupt(self, world, monkeypatch, outcome, limit):
        ctx, limits, real = world.ctx(), [], vars(collect)["collect"]
        monkeypatch.setattr(collect, "collect", lambda *args, **more: limits.append(more) or real(*args, **more))
        tests = TestRun(verdict=Verdict(exit=outcome[0], message=""), interrupted=outcome[1])
        collect.run(ctx, None, tests, failed=False)

        assert [each["idle_limit"] for each in limits] == [limit]

    def test_incomplete_collection_is_a_warning(self, world, monkeypatch):
        monkeypatch.setattr(collect, "_IDLE_LIMIT", 0.1)
        block = threading.Event()
        world.kube.put(pod())
        world.kube.logs = lambda *args, **more: block.wait()

        assert collect.run(world.ctx(), None, None, failed=False).facts == {"logs": "0"}
        assert any("not all logs were collected" in note.text for note in world.recorded.of(Note))
        block.set()

    def test_nothing_is_collected_without_a_cluster(self, world):
        assert collect.run(world.ctx(connected=False), None, None, failed=False).facts == {}
