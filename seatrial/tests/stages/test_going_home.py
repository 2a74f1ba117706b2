"""Stages after the tests, and looks at what stands."""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from fakes import World, refused
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.model.event import FindingMade, Note
from seatrial.model.redaction import SECRETS
from seatrial.model.spec import Project, ReadySpec, RunnerSpec, ServiceSpec
from seatrial.model.verdict import Verdict
from seatrial.ports import StreamBroken
from seatrial.runner.test_run import TestRun
from seatrial.saved_state import Answered, write
from seatrial.stages import collect, survey, teardown
from seatrial.stages import runner as made_runner
from seatrial.stages.secrets import secret_values
from shop_world import READY, delivered, deployment, pod, project, revision


class TestAfterRedTests:
    @pytest.fixture
    def world(self, tmp_path):
        service = {"web": ServiceSpec(port=80, ready=ReadySpec(http="/"))}
        return World(
            tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="r:1", namespace="shop"), service=service)
        )

    def collected(self, world, code, *, answers=b'{"name": "web", "message": "Connection refused"}\n'):
        ctx = world.ctx()
        ctx.facts.tests = TestRun(verdict=Verdict(exit=code, message="it"))
        ctx.failed = code is not ExitCode.PASSED
        world.kube.pod.chunks = [answers]
        return collect.run(ctx)

    @pytest.mark.parametrize("code", [ExitCode.TESTS_FAILED, ExitCode.INCONCLUSIVE])
    def test_a_service_that_does_not_answer_is_a_finding(self, world, code):
        report = self.collected(world, code)

        assert [(each.subject.name, each.message) for each in report.findings] == [
            ("web", "service web does not answer as declared: Connection refused")
        ]
        assert [body.finding for body in world.recorded.of(FindingMade)] == list(report.findings)

    def test_services_that_answer_are_no_finding(self, world):
        assert self.collected(world, ExitCode.TESTS_FAILED, answers=b'{"name": "web", "message": ""}\n').findings == ()

    @pytest.mark.parametrize("code", [ExitCode.PASSED, ExitCode.INTERRUPTED, ExitCode.NO_TESTS])
    def test_green_and_interrupted_runs_ask_nobody(self, world, code):
        self.collected(world, code)

        assert world.kube.pod.asked == []

    def test_pods_that_restarted_during_the_tests_are_named(self, world):
        world.kube.put(pod())
        write(world.env().directory / "answered.json", Answered(questions="q", pods={"other": "web-0 0 True then"}))
        self.collected(world, ExitCode.TESTS_FAILED)

        assert any("web-0, web-1" in note.text for note in world.recorded.of(Note))

    def test_a_cluster_in_trouble_does_not_hide_the_result(self, world):
        world.kube.pod.fails = StreamBroken("cut")

        assert self.collected(world, ExitCode.TESTS_FAILED, answers=b"").findings == ()


class TestCollect:
    def test_logs_of_all_containers(self, world):
        world.kube.put(pod(restarts=1, init=True))
        for key, text in {("c", False): b"now", ("c", True): b"before", ("first", False): b"first"}.items():
            world.kube.texts[("web-1", *key)] = text
        ctx = world.ctx()
        report = collect.run(ctx)
        logs = ctx.run_dir / "logs" / "pods" / "shop" / "web-1"

        assert report.facts == {"logs": "3"}
        assert {path.name: path.read_bytes() for path in logs.iterdir()} == {
            "c.log": b"now",
            "c-previous.log": b"before",
            "first.log": b"first",
        }

    @pytest.mark.parametrize(
        ("fresh", "failed", "whole"), [(True, False, True), (False, True, True), (False, False, False)]
    )
    def test_a_run_that_went_well_in_what_was_there_reads_no_old_lines(self, world, fresh, failed, whole):
        world.kube.put(pod())
        ctx = world.ctx()
        ctx.facts.fresh, ctx.failed = fresh, failed
        ctx.started = datetime.now(UTC) - timedelta(seconds=10)
        collect.run(ctx)

        (since,) = world.kube.since
        assert (since is None) if whole else (10 < since < 20)

    def test_bundle_after_a_failure(self, world):
        world.kube.put(pod())
        world.kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}})
        ctx = world.ctx()
        ctx.failed = True
        collect.run(ctx)
        bundle = ctx.run_dir / "bundle"

        assert json.loads((bundle / "shop" / "pod.json").read_text())[0]["metadata"]["name"] == "web-1"
        assert sorted(path.name for path in bundle.rglob("*.json")) == ["nodes.json", "pod.json"], "and no Secrets"

    def test_logs_that_cannot_be_had_are_left_out(self, world):
        world.kube.put(pod())

        def logs(*args, **more):
            raise refused("gone")

        world.kube.logs = logs
        assert collect.run(world.ctx()).facts == {"logs": "0"}

    @pytest.mark.parametrize(
        ("outcome", "seconds"),
        [
            ({"exit": ExitCode.INTERRUPTED, "interrupted": KeyboardInterrupt()}, 4),
            ({"exit": ExitCode.OUT_OF_TIME}, 9),
        ],
    )
    def test_logs_of_a_paused_node_are_left_after_an_interrupt(self, world, outcome, seconds):
        """The API server waits for the node, and says nothing."""
        block = threading.Event()
        world.kube.put(pod())
        world.kube.logs = lambda *args, **more: block.wait()
        ctx = world.ctx()
        ctx.facts.tests = TestRun(verdict=Verdict(exit=outcome.pop("exit"), message=""), **outcome)
        began = time.monotonic()

        assert collect.run(ctx).facts == {"logs": "0"}
        assert time.monotonic() - began < seconds
        assert any("not all logs were collected" in note.text for note in world.recorded.of(Note))
        block.set()

    def test_unforeseen_error_of_a_reader_is_raised(self, world):
        world.kube.put(pod())

        def logs(*args, **more):
            raise ZeroDivisionError

        world.kube.logs = logs
        with pytest.raises(ZeroDivisionError):
            collect.run(world.ctx())

    def test_no_cluster_no_logs(self, world):
        assert collect.run(world.ctx(connected=False)).facts == {}


class TestTeardown:
    def test_newest_first(self, world):
        ctx, done = world.ctx(), []
        for name in ("a", "b"):
            ctx.undo.push(name, lambda _, name=name: done.append(name))

        assert teardown.run(ctx).facts == {"removed": "b, a"}
        assert done == ["b", "a"]

    def test_one_failure_does_not_keep_the_rest(self, world):
        ctx, done = world.ctx(), []
        ctx.undo.push("a", lambda _: done.append("a"))

        def fails(_):
            raise EnvironmentFailed("docker is gone")

        ctx.undo.push("b", fails)
        with pytest.raises(EnvironmentFailed) as caught:
            teardown.run(ctx)
        assert done == ["a"]
        assert caught.value.reason == "b: docker is gone"


class TestSurvey:
    def test_workloads(self, world):
        world.kube.put(deployment(**READY))
        world.kube.put(deployment("late"))
        owned = pod("web-2")
        owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "x", "controller": True}]
        world.kube.put(owned)
        world.kube.put(pod("lone"))
        seen = survey.workloads(survey.snapshot(world.kube, ["shop"]))

        assert [(each.name, each.ready, each.waits_for) for each in seen] == [
            ("web", True, ""),
            ("late", False, "0 of 1 pods made"),
            ("lone", True, ""),
        ]
        assert seen[0].images == ("base:1",)

    def test_releases(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        assert survey.releases(world.kube, world.project)[0].status == ""
        secret = revision(3, "deployed")
        secret["metadata"]["namespace"] = "shop"
        world.kube.put(secret)

        assert survey.releases(world.kube, world.project)[0].revision == 3

    def runner(self, tmp_path, **more):
        """Tell of the runner of a world in which an image was built and its pod made."""
        world = World(tmp_path, project(tmp_path, **more))
        world.images.present["base:1"] = "sha256:base"
        ctx, _ = delivered(world)
        made_runner.have(ctx)
        world.kube.put(pod("test-runner"))
        return world

    def next(self, world):
        return survey.runner(world.kube, world.project, world.env()).next

    def test_runner_that_is_gone(self, tmp_path):
        assert self.next(World(tmp_path, project(tmp_path))) == "make it"

    def test_runner_as_it_was(self, tmp_path):
        world = self.runner(tmp_path)

        assert self.next(world) == "go on in it"
        (tmp_path / "tests" / "a.py").write_text("other")
        assert self.next(world) == "send it the files that changed"
        (tmp_path / "Dockerfile").write_text("FROM base:1\n")
        assert self.next(world).startswith("rebuild its image: Dockerfile")

    def test_runner_whose_image_is_not_on_the_engine(self, tmp_path):
        world = self.runner(tmp_path)
        world.images.present.clear()

        assert self.next(world) == "rebuild its image: it is not on the engine"

    def test_runner_with_an_image_of_others(self, tmp_path):
        world = self.runner(tmp_path, runner=RunnerSpec(image="x:1", namespace="shop"), image=(), release=())

        assert self.next(world) == "go on in it"

    def test_findings(self, world):
        world.kube.put(deployment())
        bad = pod("web-abc-1")
        bad["metadata"]["labels"] = {"pod-template-hash": "abc"}
        bad["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}]
        bad["status"]["containerStatuses"] = [
            {"name": "c", "ready": False, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
        ]
        bad["status"]["conditions"] = []
        world.kube.put(bad)
        world.kube.texts["web-abc-1", "c", False] = b"boom"
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
        world.kube.put({**service, "spec": {"selector": {"app": "web"}}})
        found = survey.findings(world.kube, world.project)

        assert [each.cause for each in found] == ["Crash", "NoEndpoints"]
        assert found[0].evidence == ("boom",)


class TestSecrets:
    """What is collected holds no value that is known to be secret, and no environment."""

    @pytest.fixture(autouse=True)
    def known(self):
        SECRETS.learn(["pl@nted-value"])

    def test_logs_of_containers_hold_no_secret(self, world):
        world.kube.put(pod())
        encoded = base64.b64encode(b"pl@nted-value")
        world.kube.texts[("web-1", "c", False)] = b"login with pl@nted-value or " + encoded
        ctx = world.ctx()
        collect.run(ctx)

        log = (ctx.run_dir / "logs" / "pods" / "shop" / "web-1" / "c.log").read_bytes()
        assert b"login with ***" in log
        assert b"pl@nted" not in log
        assert encoded not in log

    def test_bundle_holds_no_environment_and_no_copy_of_former_objects(self, world):
        found = pod()
        found["spec"]["containers"][0]["env"] = [
            {"name": "PASSWORD", "value": "of the chart"},
            {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]
        found["spec"]["containers"][0]["args"] = ["--password=pl@nted-value"]
        found["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": '{"of": "the chart"}'}
        world.kube.put(found)
        ctx = world.ctx()
        ctx.failed = True
        collect.run(ctx)

        text = (ctx.run_dir / "bundle" / "shop" / "pod.json").read_text()
        assert "of the chart" not in text
        assert "the chart" not in text
        assert "pl@nted" not in text
        assert '"secretKeyRef"' in text

    def test_secrets_of_charts_are_known_by_their_values(self):
        objects = [
            {"kind": "Secret", "data": {"a": base64.b64encode(b"in data").decode()}, "stringData": {"b": "as string"}},
            {"kind": "ConfigMap", "data": {"c": "no secret"}},
        ]

        assert sorted(secret_values(objects)) == ["as string", "in data"]
