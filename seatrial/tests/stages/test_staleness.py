"""Everything that decides an image is seen, and nothing else; what is in doubt is built."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from fakes import World
from msgspec.structs import replace
from seatrial.config.detect import detect
from seatrial.config.draft import dockerfile
from seatrial.image_inputs.sync_folders import places_of
from seatrial.image_inputs.working_tree import Entry
from seatrial.model.errors import ExitCode, Inconclusive, UsageError
from seatrial.model.event import Note
from seatrial.model.result import Outcome, TreeProof
from seatrial.model.spec import ImageSpec, Project, ReleaseSpec, RunnerSpec
from seatrial.pod.agent.tree import scan
from seatrial.ports import Change
from seatrial.runner.sync import PodFiles
from seatrial.runner.test_run import TestOutcome
from seatrial.saved_state import read, read_runner, write
from seatrial.stages import build, deliver, inputs, runner
from seatrial.stages import test as stage
from seatrial.stages.matters import matters
from seatrial.stages.written import Written
from shop_world import delivered, made_world, project

ALONE = {"release": ()}


@pytest.fixture
def context(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
    (tmp_path / ".dockerignore").write_text("*\n!src\n**/*.log\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1\n")
    (tmp_path / "src" / "b.log").write_text("1\n")
    (tmp_path / "README").write_text("1\n")
    return tmp_path


def given(root, environ=None, present=None, **more):
    spec = ImageSpec(**{"name": "x", "context": root, **more})
    whole = Project(root=root, runner=RunnerSpec(image="x"), image=(spec,))
    return inputs.read_inputs(whole, spec, environ or {}, present or {})


def paths(root, **more):
    return sorted(path for path, entry in given(root, **more).manifest.files.items() if entry.kind != "d")


class TestInputs:
    def test_arguments_out_of_the_environment(self):
        spec = ImageSpec(name="x", args={"A": "plain", "B": "$INDEX", "C": "${MISSING}"})

        assert inputs.arguments(spec, {"INDEX": "http://i"}) == {"A": "plain", "B": "http://i"}

    def test_context_is_what_the_build_sees(self, context):
        assert paths(context) == ["src/a.py"]

    def test_git_ignores_nothing(self, context):
        (context / ".git").mkdir()
        (context / ".gitignore").write_text("src/\n*.py\n")

        assert paths(context) == ["src/a.py"]

    def test_what_no_instruction_copies_is_no_input(self, context):
        (context / ".dockerignore").unlink()
        (context / "Dockerfile").write_text("FROM scratch\nCOPY src /x\n")

        assert paths(context) == ["src/a.py", "src/b.log"]

    def test_an_ignore_file_of_the_dockerfile_wins(self, context):
        (context / "docker").mkdir()
        (context / "docker" / "Tests").write_text("FROM scratch\nCOPY . .\n")
        (context / "docker" / "Tests.dockerignore").write_text("*\n!README\n")

        assert paths(context, dockerfile=context / "docker" / "Tests") == ["README"]

    def test_no_dockerfile(self, tmp_path):
        with pytest.raises(UsageError):
            given(tmp_path)

    def test_every_input_changes_the_digest(self, context):
        def digest(**more):
            return given(context, **more).manifest.digest

        seen = [digest(), digest(args={"A": "b"}), digest(target="t"), digest(secrets=("id=a,env=A",))]
        seen.append(digest(secrets=("id=a,env=A",), environ={"A": "1"}))
        seen.append(digest(args={"A": "$B"}, environ={"B": "1"}))
        seen.append(digest(args={"A": "$B"}, environ={"B": "2"}))
        (context / "secret").write_text("1")
        seen.append(digest(secrets=(f"id=a,src={context / 'secret'}",)))
        (context / "secret").write_text("2")
        seen.append(digest(secrets=(f"id=a,src={context / 'secret'}",)))
        for change in (
            lambda: (context / "src" / "a.py").chmod(0o755),
            lambda: (context / "src" / "a.py").chmod(0o600),
            lambda: (context / "src" / "a.py").write_text("2\n"),
            lambda: (context / "src" / "c.py").symlink_to("a.py"),
            (context / "src" / "empty").mkdir,
            lambda: (context / "src" / "empty").chmod(0o700),
            lambda: (context / "src" / "a.py").rename(context / "src" / "d.py"),
            lambda: (context / ".dockerignore").write_text("*\n!src\n"),
            lambda: (context / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n#\n"),
        ):
            change()
            seen.append(digest())

        assert len(set(seen)) == len(seen)

    def test_what_is_no_input_does_not_change_the_digest(self, context):
        before = given(context).manifest
        (context / "README").write_text("other\n")
        (context / "src" / "b.log").write_text("other\n")
        (context / "src" / "a.py").touch()
        (context / "src" / "__pycache__").mkdir()
        (context / "src" / "__pycache__" / "a.pyc").touch()

        assert given(context).manifest == before

    def test_base_images_count_with_their_ids(self, context):
        (context / "Dockerfile").write_text("FROM base:1\nCOPY --from=tool:1 /a /a\n")
        images = World(context).images
        images.present["base:1"] = "sha256:b"

        assert given(context, present=images.inspect(["base:1"])).manifest.bases == {"base:1": "sha256:b", "tool:1": ""}

    def test_a_source_that_is_a_link_makes_all_files_count(self, context):
        (context / ".dockerignore").unlink()
        (context / "tests").symlink_to("src")
        for copy in ("COPY tests t", "COPY test[s] t", "COPY tests/a.py t"):
            (context / "Dockerfile").write_text(f"FROM scratch\n{copy}\n")
            assert "src/a.py" in paths(context)

    def test_names_that_are_not_utf_8_are_inputs(self, context):
        (context / "src" / "caf\udce9.py").write_text("1")
        manifest = given(context).manifest

        assert "src/caf\udce9.py" in manifest.files
        assert manifest.digest
        write(context / "kept.json", manifest)
        assert read(context / "kept.json", type(manifest)) == manifest

    def test_a_latin_1_ignore_file_means_its_bytes(self, context):
        (context / "src" / "caf\udce9.py").write_text("1")
        (context / ".dockerignore").write_bytes(b"src/caf\xe9.*\nREADME\n")

        assert "src/caf\udce9.py" not in given(context).manifest.files

    def test_a_pattern_that_docker_refuses_is_named_with_file_and_line(self, context):
        (context / ".dockerignore").write_text("*.log\n[b-a]\n")

        with pytest.raises(UsageError) as caught:
            given(context)
        assert caught.value.message == f"{context / '.dockerignore'}:2: [b-a] is no pattern"

    def test_a_pipe_is_refused_and_a_socket_is_left_out_as_docker_does(self, context):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(context / "src" / "s"))
            assert paths(context) == ["src/a.py"]
        os.mkfifo(context / "src" / "pipe")

        with pytest.raises(UsageError, match="src/pipe of image x is no file but a fifo"):
            given(context)

    def test_a_file_that_cannot_be_read_is_named(self, context, monkeypatch):
        def refuse(*_):
            raise PermissionError(13, "Permission denied", str(context / "src" / "a.py"))

        monkeypatch.setattr(inputs, "scan", refuse)
        with pytest.raises(UsageError) as caught:
            given(context)
        assert (caught.value.message, caught.value.reason) == (
            "src/a.py of image x cannot be read",
            "Permission denied",
        )

    @pytest.mark.parametrize(
        ("text", "settled"),
        [
            ('[project]\nname = "a"\nversion = "1"\n', True),
            ('[project]\nname = "a"\ndynamic = ["version"]\n', False),
            ("[tool.x]\n", False),
            ("nonsense", False),
        ],
    )
    def test_metadata_that_depends_on_files(self, tmp_path, text, settled):
        (tmp_path / "Dockerfile").write_text("FROM a\nWORKDIR /app\nCOPY . .\nRUN pip install -e .\n")
        (tmp_path / "pyproject.toml").write_text(text)
        assert given(tmp_path).settled is settled
        (tmp_path / "setup.py").touch()
        assert not given(tmp_path).settled


class TestWrittenByRuns:
    def test_what_a_run_wrote_is_no_input_until_somebody_edits_it(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        (tmp_path / "own.txt").write_text("mine")
        before = given(tmp_path).manifest
        report, page = tmp_path / "coverage.xml", tmp_path / "htmlcov" / "index.html"
        stamps = Written.stamps([report, tmp_path / "htmlcov", tmp_path / "own.txt"])
        report.write_text("<x/>")
        page.parent.mkdir()
        page.write_text("x")
        Written.read(tmp_path).remember(stamps, [report, tmp_path / "htmlcov", tmp_path / "own.txt"])

        assert given(tmp_path).manifest == before
        report.write_text("edited")
        assert "coverage.xml" in given(tmp_path).manifest.files

    def test_what_seatrial_keeps_is_no_input(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        before = given(tmp_path).manifest
        for name in (".seatrial/runs/x", ".pytest_cache/v"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()

        assert given(tmp_path).manifest == before


class TestBuild:
    def test_built_once(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        first = world.ctx()
        assert build.run(first).outcome is Outcome.DONE
        reference = first.facts.tags["shop-test"]

        again = world.ctx()
        assert build.run(again).outcome is Outcome.UNCHANGED
        assert again.facts.tags == {"shop-test": reference}
        assert len(world.images.built) == 1

    def test_another_base_of_the_same_name_builds_anew(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        build.run(world.ctx())
        world.images.present["base:1"] = "sha256:new"

        assert build.run(world.ctx()).outcome is Outcome.DONE

    def test_a_base_that_the_build_pulled_builds_nothing_anew(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        real = world.images.build

        def pulls(spec, reference, **more):
            world.images.present["base:1"] = "sha256:pulled"
            return real(spec, reference, **more)

        world.images.build = pulls
        build.run(world.ctx())

        assert build.run(world.ctx()).outcome is Outcome.UNCHANGED

    def test_an_image_of_the_name_that_another_build_left_is_not_taken(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        ctx = world.ctx()
        build.run(ctx)
        world.images.present[ctx.facts.tags["shop-test"]] = "sha256:other"

        build.run(world.ctx())
        assert len(world.images.built) == 2

    def test_arguments_are_filled_in(self, tmp_path, monkeypatch):
        monkeypatch.setenv("INDEX", "http://i")
        image = ImageSpec(name="shop-test", context=tmp_path, args={"I": "$INDEX", "N": "$NOBODY"})
        world = World(tmp_path, project(tmp_path, image=(image,)))
        build.run(world.ctx())

        assert world.images.built == ["shop-test {'I': 'http://i'}"]
        assert [labels["seatrial.dev/image"] for labels, _ in world.images.thinned] == ["shop-test"]

    def edits_while_building(self, tmp_path, count):
        world = World(tmp_path, project(tmp_path))
        real = world.images.build

        def edited(spec, reference, **more):
            if len(world.images.built) < count:
                (tmp_path / "tests" / "a.py").write_text(f"{len(world.images.built)} more\n")
            return real(spec, reference, **more)

        world.images.build = edited
        return world

    def test_files_that_change_during_a_build_are_built_again(self, tmp_path):
        world = self.edits_while_building(tmp_path, 1)
        ctx = world.ctx()
        build.run(ctx)

        assert len(world.images.built) == 2
        assert ctx.facts.manifest == given(tmp_path, name="shop-test", present=ctx.facts.looked_at(["base:1"])).manifest

    def test_files_that_change_during_each_build_are_inconclusive_and_the_next_command_begins_clean(self, tmp_path):
        world = self.edits_while_building(tmp_path, 2)

        with pytest.raises(Inconclusive) as caught:
            build.run(world.ctx())
        assert caught.value.reason == "tests/a.py: changed"
        assert build.run(world.ctx()).outcome is Outcome.DONE

    def test_nothing_of_a_path_that_is_sent_gets_into_the_image(self, tmp_path):
        project(tmp_path)
        (tmp_path / ".dockerignore").write_text("*\n")
        world = World(tmp_path, project(tmp_path))
        (tmp_path / ".dockerignore").write_text("*\n")

        with pytest.raises(UsageError) as caught:
            build.run(world.ctx())
        assert caught.value.message.startswith("nothing of tests would reach the runner")
        assert world.images.built == []

    def test_paths_that_are_sent_are_below_the_context(self, tmp_path):
        (tmp_path / "app").mkdir()
        project(tmp_path / "app")
        image = ImageSpec(name="shop-test", context=tmp_path / "app")
        spec = RunnerSpec(image="shop-test", sync=("app/tests",))
        world = World(tmp_path, Project(root=tmp_path, image=(image,), runner=spec))

        with pytest.raises(UsageError) as caught:
            build.run(world.ctx())
        assert caught.value.hint == 'write "tests"'

    def test_an_ignore_file_that_the_builder_would_not_read_is_refused(self, tmp_path, monkeypatch):
        world = World(tmp_path, project(tmp_path))
        (tmp_path / "Dockerfile.dockerignore").write_text("docs\n")
        world.processes.run = lambda argv, **_: type("Done", (), {"code": int(argv[1] == "buildx")})

        with pytest.raises(UsageError, match="needs BuildKit"):
            build.run(world.ctx())
        world.processes.run = lambda *_, **__: type("Done", (), {"code": 0})
        assert build.run(world.ctx()).outcome is Outcome.DONE
        monkeypatch.setenv("DOCKER_BUILDKIT", "0")
        (tmp_path / "tests" / "a.py").write_text("2\n")
        with pytest.raises(UsageError, match="needs BuildKit"):
            build.run(world.ctx())


class TestWarm:
    """What the next command does about a runner pod that stands."""

    def made(self, tmp_path, **more):
        world = made_world(tmp_path, **{**ALONE, **more})
        ctx, _ = delivered(world)
        runner.have(ctx)
        return world, ctx.facts.tags["shop-test"]

    def again(self, world, **more):
        ctx = world.ctx(**more)
        ctx.facts.fresh = False
        build.run(ctx)
        return ctx

    def test_a_changed_test_builds_nothing(self, tmp_path):
        world, before = self.made(tmp_path)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        (tmp_path / "tests" / "b.py").write_text("new\n")

        assert self.again(world).facts.tags["shop-test"] == before
        assert len(world.images.built) == 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda root: (root / "Dockerfile").write_text("FROM base:1\n"), "Dockerfile: changed"),
            (lambda root: (root / "tests").rename(root / "checks"), "tests: deleted"),
            (lambda root: (root / ".dockerignore").write_text("tests/a.py\n"), ""),
            (lambda root: (root / "tests" / "a.py").chmod(0o600), "tests/a.py: changed"),
        ],
    )
    def test_what_cannot_be_sent_builds_and_says_why(self, tmp_path, change, message):
        world, before = self.made(tmp_path)
        (tmp_path / "tests" / "b.py").write_text("2\n")
        self.again(world)
        change(tmp_path)
        built = len(world.images.built)
        ctx = self.again(world, explain=True)

        assert (len(world.images.built) > built) is bool(message)
        assert (ctx.facts.tags["shop-test"] != before) is bool(message)
        assert not message or any(note.text.startswith(message) for note in world.recorded.of(Note))

    def test_another_base_image_builds(self, tmp_path):
        world, before = self.made(tmp_path)
        world.images.present["base:1"] = "sha256:other"

        assert self.again(world).facts.tags["shop-test"] != before
        assert world.recorded.of(Note)[-1].text == "base image base:1: changed, which rebuilds the image"

    def test_another_value_of_an_argument_builds(self, tmp_path, monkeypatch):
        monkeypatch.setenv("STAGE", "1")
        image = ImageSpec(name="shop-test", context=tmp_path, args={"S": "$STAGE"})
        world, before = self.made(tmp_path, image=(image,))
        monkeypatch.setenv("STAGE", "2")

        assert self.again(world).facts.tags["shop-test"] != before

    def test_a_file_that_no_instruction_copies_builds_nothing(self, tmp_path):
        world, before = self.made(tmp_path)
        (tmp_path / ".dockerignore").unlink()
        (tmp_path / "docs.md").write_text("x")

        assert self.again(world).facts.tags["shop-test"] == before

    def test_an_image_that_is_not_the_recorded_one_is_not_believed(self, tmp_path):
        world, before = self.made(tmp_path)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        world.images.present[before] = "sha256:somebody"

        assert self.again(world).facts.tags["shop-test"] != before

    def test_a_release_of_the_same_image_gets_what_a_build_gives(self, tmp_path):
        images = (ReleaseSpec(name="shop", chart="chart", namespace="shop", images={"web.image": "shop-test"}),)
        world, before = self.made(tmp_path, release=images)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        ctx = self.again(world)
        manifest = given(tmp_path, name="shop-test", present=world.images.inspect(["base:1"])).manifest

        assert before != ctx.facts.tags["shop-test"] == f"shop-test:{manifest.digest[: inputs.TAG_LENGTH]}"

    def test_a_build_that_comes_to_the_same_image_brings_the_memory_up_to_date(self, tmp_path):
        (tmp_path / "conf.py").write_text("1")
        world, before = self.made(tmp_path)
        (tmp_path / "Dockerfile").write_text((tmp_path / "Dockerfile").read_text() + "# comment\n")
        real = world.images.build

        def the_same(spec, reference, **more):
            real(spec, reference, **more)
            world.images.present[reference] = world.images.present[before]
            return world.images.image(reference)

        world.images.build = the_same
        for count in (2, 2):
            ctx = self.again(world)
            assert ctx.facts.tags["shop-test"] == before
            deliver.run(ctx)
            runner.have(ctx)
            assert len(world.images.built) == count
            assert (
                read_runner(world.env().directory).manifest
                == given(tmp_path, name="shop-test", present=world.images.inspect(["base:1"])).manifest
            )

    def test_the_engine_is_asked_once(self, tmp_path):
        world, _ = self.made(tmp_path)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        asked = []
        real = world.images.inspect
        world.images.inspect = lambda references: asked.append(tuple(references)) or real(references)
        ctx = self.again(world)
        deliver.run(ctx)

        assert len(asked) == 1


class TestSending:
    """What the test stage compares with the pod and sends to it."""

    @pytest.fixture
    def bench(self, tmp_path, monkeypatch):
        return Sending(tmp_path, monkeypatch)

    def test_what_changed_is_sent_and_the_whole_image_is_compared(self, bench):
        (bench.root / "tests" / "a.py").write_text("2\n")
        bench.run()
        tree, delta = bench.requests[0].tree, bench.requests[0].delta

        assert (delta.send, delta.delete) == (("tests/a.py",), ())
        assert set(tree.files) == {"conf", "conf/c.ini", "tests", "tests/a.py"}
        assert set(tree.built) == set(tree.files)

    def test_what_tests_left_is_deleted_and_what_the_build_made_stays(self, bench):
        bench.seeded["tests/made"] = bench.pod["tests/made"] = Entry("f", 0o644, 1, "m")
        bench.pod["tests/left"] = Entry("f", 0o644, 1, "x")
        bench.run()

        assert bench.requests[0].delta.delete == ("tests/left",)

    def test_what_needs_a_build_and_changed_after_it_is_inconclusive(self, bench):
        ctx = bench.ctx()
        (bench.root / "conf" / "c.ini").write_text("late\n")

        with pytest.raises(Inconclusive, match="changed after it was built"):
            stage.run(ctx)
        assert bench.requests == []

    def test_a_pod_that_lost_what_the_build_made_is_recreated(self, bench, monkeypatch):
        bench.seeded["tests/made"] = Entry("f", 0o644, 1, "m")
        recreated = []

        def recreate(_):
            recreated.append(True)
            bench.pod["tests/made"] = bench.seeded["tests/made"]

        monkeypatch.setattr(stage, "_recreate", recreate)
        bench.run()

        assert recreated == [True]
        assert bench.requests[0].delta.empty

    def test_the_pod_is_asked_once_and_again_if_it_is_another(self, bench):
        bench.run()
        bench.run()
        assert bench.asked == 1
        memory = bench.world.env().directory / "runner.json"
        write(memory, replace(read_runner(memory.parent), uid="another"))
        bench.run(again=False)
        assert bench.asked == 2

    def test_a_pod_that_could_not_be_brought_up_to_date_is_recreated_by_the_next_command(self, bench):
        bench.proof = TreeProof(host="a", pod="b", files=1)
        bench.run()
        assert read_runner(bench.world.env().directory).broken
        pod = bench.world.kube.get("v1/Pod", "test-runner", "shop")
        bench.world.kube.then["v1/Pod"] = [Change(type="deleted", objects=(pod,))]
        bench.proof = None
        bench.run()

        assert ("v1/Pod", "shop", "test-runner") in bench.world.kube.deleted
        assert not read_runner(bench.world.env().directory).broken

    def test_reports_of_the_run_are_no_inputs_afterwards(self, bench):
        bench.writes = (bench.root / ".coverage",)
        bench.run()

        assert Written.read(bench.root).digests.keys() == {".coverage"}

    def test_a_recreated_pod_is_waited_for(self, bench, monkeypatch):
        ctx = bench.ctx()
        monkeypatch.setattr(stage.runner, "recreate", lambda _: None)
        pod = bench.world.kube.get("v1/Pod", "test-runner", "shop")
        bench.world.kube.put(
            {**pod, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        )

        stage._recreate(ctx)


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
        monkeypatch.setattr(stage, "run_tests", self.run_tests)
        monkeypatch.setattr(stage, "pod_files", self.pod_files)
        first, _ = delivered(self.world)
        runner.have(first)

    def pod_files(self, *_):
        self.asked += 1
        return PodFiles(dict(self.pod), dict(self.seeded))

    def run_tests(self, _, request, **__):
        self.requests.append(request)
        for path in self.writes:
            path.write_text("written")
        self.pod = dict(request.tree.wanted)
        return TestOutcome(exit=ExitCode.PASSED, message="passed", files=self.pod, tree=self.proof)

    def ctx(self, *, again=True):
        ctx = self.world.ctx()
        ctx.facts.fresh = False
        if again:
            build.run(ctx)
            deliver.run(ctx)
            runner.have(ctx)
        else:
            build.run(ctx)
        return ctx

    def run(self, *, again=True):
        stage.run(self.ctx(again=again))


class TestSentToOthersImages:
    def ctx(self, tmp_path, *sync):
        world = World(tmp_path, Project(root=tmp_path, runner=RunnerSpec(image="x:1", namespace="shop", sync=sync)))
        return world, world.ctx()

    def test_folders_are_places_as_long_as_the_pod_has_them(self, tmp_path):
        (tmp_path / "tests").mkdir()
        world, ctx = self.ctx(tmp_path, "tests", "src")
        runner.have(ctx)
        assert read_runner(world.env().directory).places == ("tests",)

        (tmp_path / "tests").rename(tmp_path / "checks")
        runner.have(ctx)
        assert read_runner(world.env().directory).places == ("tests",)

    @pytest.mark.parametrize("what", ["a file", "a symbolic link"])
    def test_files_and_links_are_refused(self, tmp_path, what):
        (tmp_path / "real").mkdir()
        place = tmp_path / "tests"
        place.touch() if what == "a file" else place.symlink_to("real")
        _, ctx = self.ctx(tmp_path, "tests")

        with pytest.raises(UsageError, match=f"runner.sync names tests, which is {what}"):
            runner.have(ctx)


class TestMatters:
    def test_saves_that_count(self, tmp_path):
        (tmp_path / "m").mkdir()
        world = project(tmp_path)
        release = replace(
            world.release[0], chart=str(tmp_path / "chart"), values=(tmp_path / "v.yaml",), manifests=(tmp_path / "m",)
        )
        counts = matters(replace(world, release=(release,)))
        names = (
            "tests/a.py", "Dockerfile", ".dockerignore", "seatrial.toml", "chart/x.yaml", "v.yaml", "m/x.yaml",
            "docs.md", ".seatrial/runs/x", "src/a.py",
        )  # fmt: skip

        assert [name for name in names if counts(tmp_path / name)] == list(names[:7])

    def test_of_an_image_of_others_the_folders_that_are_sent_count(self, tmp_path):
        counts = matters(Project(root=tmp_path, runner=RunnerSpec(image="x:1")))

        assert counts(tmp_path / "tests" / "a.py")
        assert not counts(tmp_path / "docs" / "a.md")

    def test_reports_of_runs_do_not(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        report = tmp_path / "report.xml"
        stamps = Written.stamps([report])
        report.write_text("x")
        Written.read(tmp_path).remember(stamps, [report])
        spec = ImageSpec(name="x", context=tmp_path)
        whole = Project(root=tmp_path, runner=RunnerSpec(image="x"), image=(spec,))

        assert not matters(whole)(report)
        report.write_text("edited")
        assert matters(whole)(report)

    def test_what_cannot_be_understood_counts(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("NONSENSE\n")
        (tmp_path / ".dockerignore").write_text("[b-a]\n")
        spec = ImageSpec(name="x", context=tmp_path)

        assert matters(Project(root=tmp_path, runner=RunnerSpec(image="x"), image=(spec,)))(Path(tmp_path / "any"))


def test_entries_are_kept_as_they_are(tmp_path):
    entry = Entry("f", 0o644, 1, "x")
    write(tmp_path / "x.json", {"a\udcff": entry})

    assert read(tmp_path / "x.json", dict[str, Entry]) == {"a\udcff": entry}


REPOSITORY = Path(__file__).parents[3]


class TestShortLoop:
    """Our own Dockerfiles, and those that we write for others, keep it."""

    @pytest.mark.parametrize(
        ("place", "target", "sync"),
        [
            (".", None, ("packages", "testing/base_classes", "tests")),
            ("seatrial/e2e/project", None, ("src", "tests")),
            ("seatrial/examples/orders-api", "tests", ("orders", "tests")),
            ("seatrial/benchmarks/ship", None, ("tests",)),
        ],
    )
    def test_of_this_repository(self, place, target, sync):
        root = REPOSITORY / place
        found = given(root, target=target)
        places = places_of(found.analysis, "/app", sync, found.manifest.files)
        rules = found.places("/app", places, found.manifest)

        assert places == sync
        tests = [(path, entry) for path, entry in found.manifest.files.items() if path.startswith("tests/")]
        assert tests
        assert {rules.refuses(path, entry, entry) for path, entry in tests} == {""}

    @pytest.mark.parametrize("installer", ["uv", "poetry", "pip"])
    def test_of_a_draft(self, tmp_path, installer):
        for name in ("src/shop/a.py", "tests/test_a.py"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()
        for name in ("pyproject.toml", "uv.lock", "poetry.lock", "requirements.txt"):
            (tmp_path / name).write_text('[project]\nname = "a"\nversion = "1"\n')
        found = detect(tmp_path)
        (tmp_path / "Dockerfile").write_text(dockerfile(replace(found, installer=installer)))
        inputs_now = given(tmp_path)

        assert places_of(inputs_now.analysis, "/app", ("src", "tests"), inputs_now.manifest.files) == ("src", "tests")
