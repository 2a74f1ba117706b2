"""Which saved files make `watch` run the tests."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from seatrial.images.relevant_files import relevance_of
from seatrial.images.written_files import COLLECTED, WrittenFiles
from seatrial.model.spec import ImageSpec, Project, RunnerSpec
from shop_world import project


class TestMatters:
    def test_saves_that_count(self, tmp_path):
        (tmp_path / "m").mkdir()
        world = project(tmp_path)
        release = replace(
            world.release[0], chart=str(tmp_path / "chart"), values=(tmp_path / "v.yaml",), manifests=(tmp_path / "m",)
        )
        is_relevant = relevance_of(replace(world, release=(release,)))
        names = (
            "tests/a.py", "Dockerfile", ".dockerignore", "seatrial.toml", "chart/x.yaml", "v.yaml", "m/x.yaml",
            "docs.md", ".seatrial/runs/x", "src/a.py",
        )  # fmt: skip

        assert [name for name in names if is_relevant(tmp_path / name)] == list(names[:7])

    def test_of_an_image_of_others_the_folders_that_are_sent_count(self, tmp_path):
        is_relevant = relevance_of(Project(root=tmp_path, runner=RunnerSpec(image="x:1")))

        assert is_relevant(tmp_path / "tests" / "a.py")
        assert not is_relevant(tmp_path / "docs" / "a.md")

    def test_reports_of_runs_do_not(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        report = tmp_path / "report.xml"
        stamps = WrittenFiles.stamps([report])
        report.write_text("x")
        WrittenFiles.read(tmp_path).record(stamps, [report])
        spec = ImageSpec(name="x", context=tmp_path)
        whole = Project(root=tmp_path, runner=RunnerSpec(image="x"), image=(spec,))

        assert not relevance_of(whole)(report)
        report.write_text("edited")
        assert relevance_of(whole)(report)

    def test_files_that_came_from_the_pod_do_not(self, tmp_path):
        """The pod has them already. An edit counts."""
        (tmp_path / "tests").mkdir()
        snapshot = tmp_path / "tests" / "a.ambr"
        snapshot.write_text("x")
        WrittenFiles.read(tmp_path, COLLECTED).record({}, [snapshot])
        of_others = Project(root=tmp_path, runner=RunnerSpec(image="x:1"))

        assert not relevance_of(of_others)(snapshot)
        snapshot.write_text("edited")
        assert relevance_of(of_others)(snapshot)

    def test_what_cannot_be_understood_is_relevant(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("NONSENSE\n")
        (tmp_path / ".dockerignore").write_text("[b-a]\n")
        spec = ImageSpec(name="x", context=tmp_path)

        assert relevance_of(Project(root=tmp_path, runner=RunnerSpec(image="x"), image=(spec,)))(Path(tmp_path / "any"))
