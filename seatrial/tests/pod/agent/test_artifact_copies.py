"""Copies of artifacts outside of volumes."""

from __future__ import annotations

from pathlib import Path

import pytest
from seatrial.pod.agent import artifact_copies
from seatrial.pod.agent.artifact_copies import ArtifactCopies


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactCopies:
    """Copies of `out` and `top.txt`, renewed at each call; files below `out/volume` are on a volume."""
    monkeypatch.setattr(artifact_copies, "is_on_volume", lambda path: "/volume/" in path)
    monkeypatch.setattr(artifact_copies, "_INTERVAL", 0.0)
    monkeypatch.setattr(artifact_copies, "_IDLE_FACTOR", 0.0)
    (tmp_path / "app" / "out" / "volume").mkdir(parents=True)
    request = {"cwd": str(tmp_path / "app"), "artifacts": ["out", "*.txt", "../up.txt"]}
    return ArtifactCopies(request, str(tmp_path / "run" / "artifacts"))


def found(tmp_path: Path) -> dict[str, str]:
    directory = tmp_path / "run" / "artifacts"
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_renew_copies_artifacts_outside_of_volumes(tmp_path: Path, copies: ArtifactCopies) -> None:
    app = tmp_path / "app"
    (app / "top.txt").write_text("1")
    (app / "out" / "a").write_text("a")
    (app / "out" / "volume" / "b").write_text("b")
    (app / "out" / "link").symlink_to("a")
    (tmp_path / "up.txt").write_text("up")
    copies.renew()
    assert found(tmp_path) == {"top.txt": "1", "out/a": "a"}

    (app / "top.txt").write_text("12")
    (app / "out" / "a").unlink()
    copies.renew()
    assert found(tmp_path) == {"top.txt": "12"}

    copies.remove()
    assert not (tmp_path / "run" / "artifacts").exists()


def test_renew_stops_at_the_size_limit(tmp_path: Path, copies: ArtifactCopies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_copies, "_LIMIT", 3)
    (tmp_path / "app" / "a.txt").write_text("12")
    (tmp_path / "app" / "b.txt").write_text("12")
    copies.renew()

    assert found(tmp_path) == {"a.txt": "12"}
