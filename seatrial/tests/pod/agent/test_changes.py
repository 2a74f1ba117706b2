"""Files that a run changes in the synced folders, as the agent finds them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from seatrial.pod.agent import changes as module
from seatrial.pod.agent.changes import changes, files_to_copy, record_files_before
from seatrial.pod.agent.file_tree import scan
from seatrial.pod.agent.wire import STATE_VARIABLE


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `tests` with two files, recorded before a run. The clock of the file system is not behind."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(module, "_SLACK", 0.0)
    root = tmp_path / "app"
    (root / "tests").mkdir(parents=True)
    (root / "tests/same").write_text("same")
    (root / "tests/other").write_text("other")
    time.sleep(0.02)
    record_files_before({"root": str(root), "paths": ["tests"]}, scan(str(root), ["tests"]))
    return root


def test_changes_are_created_changed_and_deleted_files(root: Path) -> None:
    (root / "tests/new").write_text("new")
    (root / "tests/same").write_text("emas")
    (root / "tests/other").unlink()

    found = changes()

    assert (list(found["created"]), list(found["changed"]), found["deleted"]) == (
        ["tests/new"], ["tests/same"], ["tests/other"],
    )  # fmt: skip
    assert found["root"] == str(root)


def test_unchanged_inodes_are_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr("seatrial.pod.agent.file_tree._sha256", lambda file: read.append(file.name) or "digest")
    (root / "tests/new").write_text("new")

    changes()

    assert read == [str(root / "tests/new")]


def test_file_with_an_old_modification_time_is_read(root: Path) -> None:
    """Tests can set the modification time, but not the change time."""
    before = (root / "tests/same").stat()
    (root / "tests/same").write_text("emas")
    os.utime(root / "tests/same", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert list(changes()["changed"]) == ["tests/same"]


def test_mode_of_a_directory_is_not_a_change(root: Path) -> None:
    (root / "tests").chmod(0o700)

    assert changes()["changed"] == {}


def test_nothing_changes_without_synced_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    assert changes() == {}

    record_files_before(None, {})
    assert changes() == {}


def entries(**sizes: int) -> dict[str, Any]:
    return {name: ["f", 0o644, size, "x"] for name, size in sizes.items()}


def test_smallest_files_are_copied_first_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    found = {"created": entries(large=8, small=1), "changed": {**entries(medium=3), "link": ["l", 0, 0, "small"]}}

    assert files_to_copy(found) == ["small", "medium"]
    monkeypatch.setattr(module, "MOST_FILES", 1)
    assert files_to_copy(found) == ["small"]


def test_file_as_large_as_the_limit_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)

    assert files_to_copy({"created": entries(exact=10), "changed": {}}) == ["exact"]
    assert files_to_copy({"created": entries(beyond=11), "changed": {}}) == []
