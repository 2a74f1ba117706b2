"""Which files the runner pod has to contain."""

from __future__ import annotations

import pytest
from fakes import FakeImages
from msgspec.structs import replace
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.image_inputs.working_tree import Entry
from seatrial.images.engine_images import EngineImages
from seatrial.images.expected_tree import expected_tree, host_root
from seatrial.model.errors import Inconclusive
from seatrial.model.spec import ImageSpec, Project, RunnerSpec
from seatrial.saved_state import RunnerRecord
from shop_world import inputs_of, project

MADE = Entry("f", 0o644, 1, "m")


@pytest.fixture
def shop(tmp_path):
    return project(tmp_path)


def runner(root, **more):
    manifest = inputs_of(root, name="shop-test").manifest
    given = {"reference": "shop-test:1", "image": "sha256:1", "uid": "u", "places": ("tests",), "manifest": manifest}
    return RunnerRecord(**{**given, **more})


def expected(shop, record, seeded=None):
    images = EngineImages(FakeImages())
    return expected_tree(shop, record, seeded or {}, workdir="/app", images=images, environ={})


def test_tree_of_a_built_image_has_its_inputs_and_the_files_that_the_build_created(shop, tmp_path):
    record = runner(tmp_path)
    (tmp_path / "tests" / "b.py").write_text("new\n")
    seeded = {"tests/made": MADE, "tests/a.py": record.manifest.files["tests/a.py"]}
    tree = expected(shop, record, seeded)

    assert set(tree.files) == {"tests", "tests/a.py", "tests/b.py"}
    assert tree.generated == {"tests/made": MADE}
    assert tree.places == ("tests",)


def test_change_that_needs_a_build_is_inconclusive(shop, tmp_path):
    record = runner(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM base:2\n")

    with pytest.raises(Inconclusive, match="changed after it was built") as caught:
        expected(shop, record)
    assert caught.value.reason.startswith("Dockerfile: changed")


def test_tree_of_an_image_of_another_project_has_the_sent_folders_only(tmp_path):
    for name in ("tests/a.py", "docs/a.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1\n")
    other = Project(root=tmp_path, runner=RunnerSpec(image="x:1", sync=("tests",)))
    tree = expected(other, runner_of_another_project())

    assert {path for path, entry in tree.files.items() if entry.kind == "f"} == {"tests/a.py"}


def runner_of_another_project():
    return RunnerRecord(
        reference="x:1", image="sha256:x", uid="u", places=("tests",), manifest=ImageManifest(dockerfile="")
    )


def test_tests_run_in_the_context_of_the_runners_image(shop, tmp_path):
    (tmp_path / "app").mkdir()
    image = ImageSpec(name="shop-test", context=tmp_path / "app")

    assert host_root(shop) == tmp_path
    assert host_root(replace(shop, image=(image,))) == tmp_path / "app"
    assert host_root(replace(shop, image=())) == tmp_path
