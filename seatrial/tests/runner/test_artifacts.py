from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from seatrial.runner.artifacts import collect_files
from seatrial.runner.options import ReportFile

from runner.answering_agent import request


def archive_of(path: Path, members: dict[str, bytes | str]) -> Path:
    """Write an archive; a text is the target of a symbolic link."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_member_with_a_path_outside_is_not_copied_and_noted(tmp_path: Path) -> None:
    archive = archive_of(
        tmp_path / "collected.tar",
        {"notes.json": b"[]", "artifacts/../../evil": b"x", "artifacts/link": "/etc/passwd", "artifacts/good": b"y"},
    )

    collected = collect_files(archive, request(tmp_path), tmp_path)

    assert collected.artifacts is not None
    assert [path.name for path in collected.artifacts.iterdir()] == ["good"]
    assert len(collected.notes) == 2
    assert "evil" in collected.notes[0]
    assert collected.notes[1] == "not copied from the pod: artifacts/link (links are not copied)"
    assert not (tmp_path.parent / "evil").exists()


def test_damaged_archive_is_noted(tmp_path: Path) -> None:
    archive = tmp_path / "collected.tar"
    archive.write_bytes(b"not an archive")

    collected = collect_files(archive, request(tmp_path), tmp_path)

    assert collected.artifacts is None
    assert collected.notes[0].startswith("the archive from the pod could not be unpacked completely")
    assert not archive.exists()


def test_report_folders_are_copied_and_missing_reports_noted(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "collected.tar", {"notes.json": b"[]", "files/0/index.html": b"<p>"})
    wanted = (
        ReportFile("files/0", tmp_path / "out" / "html"),
        ReportFile("files/log.txt", tmp_path / "out" / "log.txt"),
    )

    collected = collect_files(archive, request(tmp_path, files=wanted), tmp_path)

    assert (tmp_path / "out" / "html" / "index.html").read_bytes() == b"<p>"
    assert collected.notes == ("log.txt was not written in the pod",)


@pytest.mark.parametrize("name", ["coverage.xml", ".coverage"])
def test_invalid_coverage_data_is_noted(tmp_path: Path, name: str) -> None:
    archive = archive_of(tmp_path / "collected.tar", {"notes.json": b"[]", f"coverage/{name}": b"<neither"})

    collected = collect_files(archive, request(tmp_path), tmp_path)

    assert collected.coverage is None
    assert collected.notes[0].startswith(f"coverage could not be mapped to the project: {name}")
