"""The build stage: an image is built when its inputs changed, and kept where sending files is enough."""

from __future__ import annotations

import time

import pytest
from fakes import World
from msgspec.structs import replace
from seatrial.images.input_reader import TAG_LENGTH
from seatrial.model.errors import UsageError
from seatrial.model.event import Note
from seatrial.model.result import Outcome
from seatrial.model.spec import ImageSpec, Project, ReleaseSpec, RunnerSpec
from seatrial.saved_state import read_runner
from seatrial.stages import build
from shop_world import Command, delivered, inputs_of, made_world, project

ALONE = {"release": ()}


class TestBuild:
    def test_unchanged_inputs_are_built_once(self, tmp_path):
        world = World(tmp_path, project(tmp_path))
        first, again = build.run(world.ctx()), build.run(world.ctx())

        assert (first.outcome, again.outcome) == (Outcome.DONE, Outcome.UNCHANGED)
        assert again.result.references == first.result.references
        assert len(world.images.built) == 1

    def test_old_images_are_deleted_after_all_builds_and_before_the_end_of_the_run(self, tmp_path):
        base = project(tmp_path)
        two = (*base.image, ImageSpec(name="other", context=base.image[0].context))
        world = World(tmp_path, replace(base, image=two))
        built_before: list[int] = []
        prune = world.images.prune

        def slow(labels, **more):
            time.sleep(0.05)
            built_before.append(len(world.images.built))
            prune(labels, **more)

        world.images.prune = slow
        ctx = world.ctx()
        build.run(ctx)
        ctx.at_end.close()

        assert built_before == [2, 2]
        owner = {"seatrial.dev/project": world.project.identity}
        assert world.images.thinned == [({**owner, "seatrial.dev/image": name}, 3) for name in ("shop-test", "other")]

    def test_sync_path_whose_files_are_all_ignored_is_refused(self, tmp_path):
        project(tmp_path)
        (tmp_path / ".dockerignore").write_text("*\n")
        world = World(tmp_path, project(tmp_path))
        (tmp_path / ".dockerignore").write_text("*\n")

        with pytest.raises(UsageError) as caught:
            build.run(world.ctx())
        assert caught.value.message.startswith("no file of tests would reach the runner pod")
        assert world.images.built == []

    def test_sync_path_outside_of_the_context_is_refused(self, tmp_path):
        (tmp_path / "app").mkdir()
        project(tmp_path / "app")
        image = ImageSpec(name="shop-test", context=tmp_path / "app")
        spec = RunnerSpec(image="shop-test", sync=("app/tests",))
        world = World(tmp_path, Project(root=tmp_path, image=(image,), runner=spec))

        with pytest.raises(UsageError) as caught:
            build.run(world.ctx())
        assert caught.value.hint == 'write "tests"'


class TestKeptRunnerPod:
    """Whether the next command builds the image of an existing runner pod."""

    def made(self, tmp_path, **more):
        world = made_world(tmp_path, **{**ALONE, **more})
        command, _ = delivered(world)
        command.runner_pod().ensure()
        return world, command.runner_reference

    def again(self, world, **more):
        command = Command(world, world.ctx(kept=True, **more))
        command.build()
        return command

    def test_changed_test_file_causes_no_build(self, tmp_path):
        world, before = self.made(tmp_path)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        (tmp_path / "tests" / "b.py").write_text("new\n")

        assert self.again(world).runner_reference == before
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
    def test_change_that_sync_cannot_apply_is_built_and_explained(self, tmp_path, change, message):
        world, before = self.made(tmp_path)
        (tmp_path / "tests" / "b.py").write_text("2\n")
        self.again(world)
        change(tmp_path)
        built = len(world.images.built)
        command = self.again(world, explain=True)

        assert (len(world.images.built) > built) is bool(message)
        assert (command.runner_reference != before) is bool(message)
        assert not message or any(note.text.startswith(message) for note in world.recorded.of(Note))

    def test_changed_base_image_of_a_kept_pod_is_rebuilt(self, tmp_path):
        world, before = self.made(tmp_path)
        world.images.present["base:1"] = "sha256:other"

        assert self.again(world).runner_reference != before
        assert world.recorded.of(Note)[-1].text == "base image base:1: changed, which rebuilds the image"

    def test_changed_build_argument_is_rebuilt(self, tmp_path, monkeypatch):
        monkeypatch.setenv("STAGE", "1")
        image = ImageSpec(name="shop-test", context=tmp_path, args={"S": "$STAGE"})
        world, before = self.made(tmp_path, image=(image,))
        monkeypatch.setenv("STAGE", "2")

        assert self.again(world).runner_reference != before

    def test_file_that_no_instruction_copies_causes_no_build(self, tmp_path):
        world, before = self.made(tmp_path)
        (tmp_path / ".dockerignore").unlink()
        (tmp_path / "docs.md").write_text("x")

        assert self.again(world).runner_reference == before

    def test_image_that_is_not_the_recorded_one_is_rebuilt(self, tmp_path):
        world, before = self.made(tmp_path)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        world.images.present[before] = "sha256:somebody"

        assert self.again(world).runner_reference != before

    def test_image_that_a_release_uses_is_rebuilt(self, tmp_path):
        images = (ReleaseSpec(name="shop", chart="chart", namespace="shop", images={"web.image": "shop-test"}),)
        world, before = self.made(tmp_path, release=images)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        command = self.again(world)
        manifest = inputs_of(tmp_path, name="shop-test", present=world.images.inspect(["base:1"])).manifest

        assert before != command.runner_reference == f"shop-test:{manifest.digest[:TAG_LENGTH]}"

    def test_build_of_the_same_image_updates_the_record_of_the_pod(self, tmp_path):
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
            command = self.again(world)
            assert command.runner_reference == before
            command.deliver()
            command.runner_pod().ensure()
            assert len(world.images.built) == count
            assert (
                read_runner(world.env().directory).manifest
                == inputs_of(tmp_path, name="shop-test", present=world.images.inspect(["base:1"])).manifest
            )

    def test_engine_gets_one_request_for_all_images(self, tmp_path):
        world, _ = self.made(tmp_path)
        (tmp_path / "tests" / "a.py").write_text("2\n")
        asked = []
        real = world.images.inspect
        world.images.inspect = lambda references: asked.append(tuple(references)) or real(references)
        command = self.again(world)
        command.deliver()

        assert len(asked) == 1
