"""Images are built once for the same inputs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fakes import World
from msgspec.structs import replace
from seatrial.images.engine_images import EngineImages
from seatrial.images.image_builder import ImageBuilder
from seatrial.images.input_reader import read_inputs
from seatrial.model.deadline import Deadline
from seatrial.model.errors import Inconclusive, UsageError
from shop_world import project


class Bench:
    """An image and what builds it. Each build is one command."""

    def __init__(self, root):
        self.root = root
        self.world = World(root, project(root))
        self.world.images.present["base:1"] = "sha256:base"
        self.environ = {}
        self.engine = self.world.images
        self.real = self.engine.build

    @property
    def spec(self):
        return self.world.project.image[0]

    def build(self):
        known = EngineImages(self.engine)
        known.inspect(["base:1"])
        builder = ImageBuilder(
            project=self.world.project,
            images=self.engine,
            known=known,
            processes=self.world.processes,
            environ=self.environ,
            shared=self.root / ".seatrial",
            deadline=Deadline.after(30),
            log=lambda name: self.root / name,
            progress=lambda _: None,
        )
        inputs = read_inputs(self.world.project, self.spec, self.environ, known.present(["base:1"]))
        return builder.build(self.spec, inputs)

    def edit_during_builds(self, count):
        """Change a file during the first builds."""

        def edited(spec, reference, **more):
            if len(self.engine.built) < count:
                (self.root / "tests" / "a.py").write_text(f"{len(self.engine.built)} more\n")
            return self.real(spec, reference, **more)

        self.engine.build = edited


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_unchanged_inputs_are_built_once(bench):
    first, again = bench.build(), bench.build()

    assert (first.is_new, again.is_new) == (True, False)
    assert again.reference == first.reference == f"shop-test:{first.inputs.manifest.digest[:12]}"
    assert len(bench.engine.built) == 1


def test_changed_base_image_is_rebuilt(bench):
    bench.build()
    bench.engine.present["base:1"] = "sha256:new"

    assert bench.build().is_new


def test_base_image_pulled_by_the_build_causes_no_rebuild(bench):
    del bench.engine.present["base:1"]

    def pulls(spec, reference, **more):
        bench.engine.present["base:1"] = "sha256:pulled"
        return bench.real(spec, reference, **more)

    bench.engine.build = pulls
    bench.build()

    assert not bench.build().is_new


def test_image_that_another_build_tagged_is_rebuilt(bench):
    bench.engine.present[bench.build().reference] = "sha256:other"
    bench.build()

    assert len(bench.engine.built) == 2


def test_build_arguments_are_read_from_the_environment(bench):
    image = replace(bench.spec, args={"I": "$INDEX", "N": "$NOBODY"})
    bench.world.project = replace(bench.world.project, image=(image,))
    bench.environ = {"INDEX": "http://i"}
    bench.build()

    assert bench.engine.built == ["shop-test {'I': 'http://i'}"]


def test_files_changed_during_a_build_are_built_again(bench):
    bench.edit_during_builds(1)
    built = bench.build()

    assert len(bench.engine.built) == 2
    assert built.inputs.manifest == bench.build().inputs.manifest
    assert len(bench.engine.built) == 2


def test_files_changed_during_two_builds_are_inconclusive(bench):
    bench.edit_during_builds(2)

    with pytest.raises(Inconclusive) as caught:
        bench.build()
    assert caught.value.reason == "tests/a.py: changed"
    assert bench.build().is_new


def test_inputs_that_result_in_the_same_image_keep_its_reference(bench):
    def build_the_same(spec, reference, **more):
        bench.real(spec, reference, **more)
        bench.engine.present[reference] = "sha256:always"
        return bench.engine.image(reference)

    bench.engine.build = build_the_same
    first = bench.build()
    (bench.root / "tests" / "a.py").write_text("2\n")
    for _ in range(2):
        again = bench.build()
        assert (again.is_new, again.reference) == (False, first.reference)
    assert len(bench.engine.built) == 2, "the third time the result is recorded"


def test_ignore_file_of_a_dockerfile_needs_buildkit(bench, monkeypatch):
    (bench.root / "Dockerfile.dockerignore").write_text("docs\n")
    monkeypatch.setattr(bench.world.processes, "run", lambda argv, **_: SimpleNamespace(code=int(argv[1] == "buildx")))

    with pytest.raises(UsageError, match="needs BuildKit"):
        bench.build()
    monkeypatch.setattr(bench.world.processes, "run", lambda *_, **__: SimpleNamespace(code=0))
    assert bench.build().is_new
    bench.environ = {"DOCKER_BUILDKIT": "0"}
    (bench.root / "tests" / "a.py").write_text("2\n")
    with pytest.raises(UsageError, match="needs BuildKit"):
        bench.build()
