"""The archive of files that the host collects."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from seatrial.pod.agent import collected_files
from seatrial.pod.agent.wire import COLLECTED_FILE, STATE_VARIABLE


def test_keeper_packs_files_on_volumes_and_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pattern finds files of the image, which are no artifacts, and copies of what the tests wrote."""
    monkeypatch.setattr(collected_files, "is_on_volume", lambda path: "/volume/" in path)
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    for place in ("cache", "run/collected/coverage", "run/collected/files"):
        (tmp_path / place).mkdir(parents=True)
    for name in ("app/out/of-the-image", "app/out/volume/shot", "run/artifacts/out/copy", "run/artifacts/tmp/copy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    collected_files.pack(
        {"cwd": str(tmp_path / "app"), "artifacts": ["out", "/tmp/copy", "*.txt"]}, str(tmp_path / "run"), keeper=True
    )  # fmt: skip

    with tarfile.open(tmp_path / "run" / COLLECTED_FILE) as archive:
        names = archive.getnames()
        notes = json.load(archive.extractfile("notes.json"))  # type: ignore[arg-type]
    assert names == ["artifacts/out/volume/shot", "artifacts/out/copy", "artifacts/tmp/copy", "notes.json"]
    assert notes == [
        "artifacts: no files match *.txt",
        "artifacts outside of synced folders are copies, made up to a second before pytest was killed",
    ]
