"""The test stage: which files it sends to the runner pod."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from msgspec.structs import replace
from seatrial.image_inputs.working_tree import Entry, digest
from seatrial.images.written_files import COLLECTED, WrittenFiles
from seatrial.model.errors import ExitCode, Inconclusive
from seatrial.model.result import TreeProof
from seatrial.model.verdict import Verdict
from seatrial.pod.agent.file_tree import scan
from seatrial.ports import Change
from seatrial.runner.artifacts import CollectedFiles
from seatrial.runner.run_tests import TestRun
from seatrial.runner.sync import PodDiffers, PodFiles
from seatrial.runner_pod import known_files
from seatrial.runner_pod.lifecycle import RunnerPod
from seatrial.saved_state import read_runner, write
from seatrial.stages import test as stage
from seatrial.stages.install import Installation
from shop_world import delivered, made_world

ALONE = {"release": ()}


class TestSending:
    """What the test stage compares with the pod and sends to it."""

    @pytest.fixture
    def bench(self, tmp_path, monkeypatch):
        return Sending(tmp_path, monkeypatch)

    def test_changed_files_are_sent_and_all_files_compared(self, bench):
        (bench.root / "tests" / "a.py").write_text("2\n")
        bench.run()
        tree, delta = bench.requests[0].tree, bench.requests[0].delta

        assert (delta.send, delta.delete) == (("tests/a.py",), ())
        assert set(tree.files) == {"conf", "conf/c.ini", "tests", "tests/a.py"}
        assert set(tree.built) == set(tree.files)

    def test_code_left_by_tests_is_deleted_and_files_of_the_build_stay(self, bench):
        bench.seeded["tests/made"] = bench.pod["tests/made"] = Entry("f", 0o644, 1, "m")
        bench.pod["tests/left"] = Entry("f", 0o644, 1, "x")
        bench.run()

        assert bench.requests[0].delta.delete == ("tests/left",)

    def test_data_files_of_a_run_stay_for_the_next_one(self, bench):
        """The end of the run told of them, so the next command knows what the pod has."""
        bench.made = {"tests/made.json": Entry("f", 0o644, 1, "m"), "tests/made.py": Entry("f", 0o644, 1, "m")}
        bench.run()
        left, bench.made = bench.left, {}
        bench.run()
        delta = bench.requests[1].delta

        assert (delta.kept, delta.delete) == (("tests/made.json",), ("tests/made.py",))
        assert bench.requests[1].expect == digest({**bench.requests[0].tree.wanted, **left})
        assert bench.asked == 1

    def test_data_files_of_a_lost_run_stay_for_the_next_one(self, bench):
        """The end of their run was lost. Files deleted in the working tree are deleted in the pod."""
        (bench.root / "tests" / "old.json").write_text("1")
        bench.run()
        (bench.root / "tests" / "old.json").unlink()
        bench.differs = {**bench.pod, "tests/late.json": Entry("f", 0o644, 1, "l")}
        bench.run()

        assert bench.requests[-1].delta.kept == ("tests/late.json",)
        assert bench.requests[-1].delta.delete == ("tests/old.json",)

    def test_data_files_of_runs_are_deleted_with_discard(self, bench):
        bench.made = {"tests/made.json": Entry("f", 0o644, 1, "m")}
        bench.run()
        command = bench.command()
        command.ctx.discard = True
        command.test()

        assert (bench.requests[1].delta.kept, bench.requests[1].delta.delete) == ((), ("tests/made.json",))

    def test_files_collected_into_the_tree_are_recorded_for_watch(self, bench):
        (bench.root / "tests" / "a.ambr").write_text("1")
        bench.collected = ("tests/a.ambr",)
        bench.run()

        assert WrittenFiles.read(bench.root, COLLECTED).digests.keys() == {"tests/a.ambr"}
        assert WrittenFiles.read(bench.root).digests == {}

    def test_change_after_the_build_that_needs_a_build_is_inconclusive(self, bench):
        command = bench.command()
        (bench.root / "conf" / "c.ini").write_text("late\n")

        with pytest.raises(Inconclusive, match="changed after it was built"):
            command.test()
        assert bench.requests == []

    def test_pod_that_lost_files_of_the_build_is_recreated(self, bench, monkeypatch):
        bench.seeded["tests/made"] = Entry("f", 0o644, 1, "m")
        recreated = []

        def recreate(*_):
            recreated.append(True)
            bench.pod["tests/made"] = bench.seeded["tests/made"]

        monkeypatch.setattr(stage, "_recreate", recreate)
        bench.run()

        assert recreated == [True]
        assert bench.requests[0].delta.empty

    def test_files_of_a_pod_are_read_once(self, bench):
        bench.run()
        bench.run()
        assert bench.asked == 1
        memory = bench.world.env().directory / "runner.json"
        record = read_runner(memory.parent)
        assert record is not None
        write(memory, replace(record, uid="another"))
        bench.run(ensure_pod=False)
        assert bench.asked == 2

    def test_pod_with_wrong_files_is_recreated_by_the_next_command(self, bench):
        bench.proof = TreeProof(host="a", pod="b", files=1)
        bench.run()
        assert read_runner(bench.world.env().directory).broken
        pod = bench.world.kube.get("v1/Pod", "test-runner", "shop")
        bench.world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
        bench.proof = None
        bench.run()

        assert ("v1/Pod", "shop", "test-runner") in bench.world.kube.deleted
        assert not read_runner(bench.world.env().directory).broken

    def test_reports_of_a_run_are_not_inputs_of_the_image(self, bench):
        bench.writes = (bench.root / ".coverage",)
        bench.run()

        assert WrittenFiles.read(bench.root).digests.keys() == {".coverage"}

    def test_stage_waits_for_a_recreated_pod(self, bench):
        command = bench.command()
        pod = bench.world.kube.get("v1/Pod", "test-runner", "shop")
        bench.world.kube.put(
            {**pod, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        )

        stage._recreate(command.ctx, Mock(spec=RunnerPod))


class Sending:
    """A world with a pod whose files are a dictionary."""

    def __init__(self, root, monkeypatch):
        self.root = root
        (root / "conf").mkdir()
        (root / "conf" / "c.ini").write_text("1\n")
        self.world = made_world(root, **ALONE)
        (root / "Dockerfile").write_text("FROM base:1\nWORKDIR /app\nCOPY conf conf\nCOPY tests tests\n")
        (root / ".dockerignore").unlink()
        self.pod = {path: Entry(*entry) for path, entry in scan(str(root), ["tests"]).items()}
        self.seeded = dict(self.pod)
        self.asked, self.requests, self.writes, self.proof = 0, [], (), None
        self.made, self.left, self.collected, self.differs = {}, {}, (), None
        monkeypatch.setattr(stage, "run_tests", self.run_tests)
        monkeypatch.setattr(known_files, "pod_files", self.pod_files)
        first, _ = delivered(self.world)
        first.runner_pod().ensure()

    def pod_files(self, *_):
        self.asked += 1
        return PodFiles(dict(self.pod), dict(self.seeded))

    def run_tests(self, _, request, **__):
        if self.differs is not None:
            self.pod, self.differs = self.differs, None
            raise PodDiffers(self.pod)
        self.requests.append(request)
        for path in self.writes:
            path.write_text("written")
        self.left = {**{path: self.pod[path] for path in request.delta.kept}, **self.made}
        self.pod = {**request.tree.wanted, **self.left}
        collected = CollectedFiles(in_tree=self.collected)
        verdict = Verdict(exit=ExitCode.PASSED, message="passed")
        return TestRun(verdict=verdict, files=self.pod, tree=self.proof, collected=collected)

    def command(self, *, ensure_pod=True):
        command, _ = delivered(self.world, self.world.ctx(kept=True))
        if ensure_pod:
            command.runner_pod().ensure()
        command.installation = Installation(targets={}, upgraded={}, applied=(), runner_pod=command.runner_pod())
        return command

    def run(self, *, ensure_pod=True):
        self.command(ensure_pod=ensure_pod).test()
