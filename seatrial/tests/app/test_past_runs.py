from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.app.past_runs import find_events
from seatrial.model.errors import UsageError


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    for name in ("1", "2"):
        (runs / name).mkdir(parents=True)
        (runs / name / "events.jsonl").touch()
    (runs / "latest").symlink_to("2")
    return runs


def unused() -> Path:
    raise AssertionError("the project is not needed")


def test_run_is_found_by_its_id_and_by_latest(runs: Path) -> None:
    assert find_events("1", lambda: runs) == runs / "1" / "events.jsonl"
    assert find_events("latest", lambda: runs).samefile(runs / "2" / "events.jsonl")


def test_path_of_a_run_needs_no_project(runs: Path) -> None:
    assert find_events(str(runs / "1"), unused) == runs / "1" / "events.jsonl"
    assert find_events("runs/1", unused) == Path("runs/1/events.jsonl")
    assert find_events("runs/1/events.jsonl", unused) == Path("runs/1/events.jsonl")


def test_directory_beside_the_project_is_found_by_its_name(runs: Path) -> None:
    (runs / "1").rename(runs.parent / "copy")

    assert find_events("copy", lambda: runs) == Path("copy/events.jsonl")


def test_unknown_run_is_an_error_that_names_the_known_ones(runs: Path) -> None:
    with pytest.raises(UsageError) as error:
        find_events("other", lambda: runs)

    assert error.value.hint == "one of: 1, 2"


def test_project_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        find_events("latest", lambda: tmp_path / "runs")

    assert error.value.hint == "seatrial run"
