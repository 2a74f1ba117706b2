"""Files that runs wrote are not inputs of an image until a user edits them."""

from __future__ import annotations

from seatrial.images.written_files import COLLECTED, WrittenFiles
from shop_world import inputs_of


class TestWrittenByRuns:
    def test_what_a_run_wrote_is_no_input_until_it_is_edited(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        (tmp_path / "own.txt").write_text("mine")
        before = inputs_of(tmp_path).manifest
        report, page = tmp_path / "coverage.xml", tmp_path / "htmlcov" / "index.html"
        stamps = WrittenFiles.stamps([report, tmp_path / "htmlcov", tmp_path / "own.txt"])
        report.write_text("<x/>")
        page.parent.mkdir()
        page.write_text("x")
        WrittenFiles.read(tmp_path).record(stamps, [report, tmp_path / "htmlcov", tmp_path / "own.txt"])

        assert inputs_of(tmp_path).manifest == before
        report.write_text("edited")
        assert "coverage.xml" in inputs_of(tmp_path).manifest.files

    def test_what_came_from_the_pod_into_the_tree_is_an_input(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        (tmp_path / "a.ambr").write_text("x")
        WrittenFiles.read(tmp_path, COLLECTED).record({}, [tmp_path / "a.ambr"])

        assert "a.ambr" in inputs_of(tmp_path).manifest.files

    def test_what_seatrial_keeps_is_no_input(self, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
        before = inputs_of(tmp_path).manifest
        for name in (".seatrial/runs/x", ".pytest_cache/v"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()

        assert inputs_of(tmp_path).manifest == before
