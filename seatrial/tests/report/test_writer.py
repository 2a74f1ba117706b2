from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.model import event as e
from seatrial.model.errors import ExitCode
from seatrial.report import writer
from seatrial.report.run_files import REPORT_FILE
from seatrial.report.writer import ReportWriter, page_of, write_page

from .run_directories import RUN, Case, RunDirectory, suite


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return RunDirectory(tests=suite(30)).write(tmp_path / RUN)


def feed(sink: ReportWriter, run: RunDirectory) -> None:
    for event in run.events():
        sink(event)
    sink.close()


def test_writer_writes_the_report_at_the_end_of_the_run(directory: Path) -> None:
    said: list[str] = []
    feed(ReportWriter(directory, said.append), RunDirectory(tests=suite(30)))

    assert said == [f"report: {directory / REPORT_FILE}"]
    assert "test_order_3" in (directory / REPORT_FILE).read_text()
    assert (directory / REPORT_FILE).read_text() == write_page(directory, page_of(directory)).read_text()


def test_writer_of_a_green_run_says_nothing(tmp_path: Path) -> None:
    run = RunDirectory(tests=suite(3, failing=0), exit=ExitCode.PASSED, verdict="all tests passed")
    said: list[str] = []
    feed(ReportWriter(run.write(tmp_path), said.append), run)

    assert said == []
    assert (tmp_path / REPORT_FILE).exists()


def test_writer_adds_markdown_to_the_summary_of_the_job(directory: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    feed(ReportWriter(directory, print, summary=str(summary)), RunDirectory(tests=suite(30)))

    assert summary.read_text().startswith("before\n### ❌ tests failed: 2 failed")


def test_writer_writes_nothing_before_the_run_has_ended(directory: Path) -> None:
    sink = ReportWriter(directory, print)
    for event in RunDirectory(tests=suite(30), ended=False).events():
        sink(event)
    sink.close()

    assert not (directory / REPORT_FILE).exists()


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("bug"), RecursionError()])
def test_failure_is_a_warning_at_the_end_and_raises_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(writer, "build_page", fail)
    warnings: list[str] = []
    feed(ReportWriter(directory, warnings.append), RunDirectory(tests=suite(30)))

    assert warnings == [f"report.html was not written: {type(error).__name__}: {error}"]
    assert not (directory / REPORT_FILE).exists()


def test_templates_are_loaded_while_the_tests_run(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[bool] = []
    monkeypatch.setattr("seatrial.report.html.prepare", lambda: prepared.append(True))
    sink = ReportWriter(directory, print)
    for event in RunDirectory(tests=suite(30)).events():
        sink(event)
        if isinstance(event.body, e.TestsCollected):
            assert sink._preparation is not None
            sink._preparation.join()
            assert prepared == [True]

    assert prepared == [True]


def test_links_in_the_directory_are_replaced_and_not_followed(directory: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (directory / REPORT_FILE).symlink_to(outside / "kept")
    (directory / "report-files").symlink_to(outside)
    (directory / f".{REPORT_FILE}.new").symlink_to(outside / "kept")
    page = write_page(directory, page_of(directory))

    assert (outside / "kept").read_text() == "kept"
    assert not page.is_symlink()
    assert list(outside.iterdir()) == [outside / "kept"]


def test_files_of_an_earlier_report_are_deleted(tmp_path: Path) -> None:
    big = [Case(f"a.py::t{number}", "failed", sections=[("Out", "x" * 90_000)]) for number in range(40)]
    directory = RunDirectory(tests=big).write(tmp_path / RUN)
    write_page(directory, page_of(directory))
    assert list((directory / "report-files").iterdir())

    RunDirectory(tests=suite(3)).write(directory)
    write_page(directory, page_of(directory))
    assert not (directory / "report-files").exists()


def test_report_does_not_list_itself(directory: Path) -> None:
    write_page(directory, page_of(directory))
    again = write_page(directory, page_of(directory)).read_text()

    assert 'href="./report.html"' not in again
