"""The archive from a pod: whatever is in it, nothing is written or read outside of the directory of the run."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seatrial.runner.archive import Limits, deliver, read_tree_below, unpack

PLACES = ("artifacts", "cache")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, **more: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, size
    for key, value in more.items():
        setattr(found, key, value)
    return found


def archive_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            info.size = len(content) if info.isreg() else info.size
            tar.addfile(info, io.BytesIO(content))
    return path


def below(directory: Path) -> dict[str, bytes]:
    """Return the files below a directory without following links, with a link as its target."""
    found: dict[str, bytes] = {}
    for place, names, files in os.walk(directory):
        for name in [*files, *names]:
            path = Path(place) / name
            if path.is_symlink():
                found[str(path.relative_to(directory))] = b"-> " + str(path.readlink()).encode()
            elif path.is_file():
                found[str(path.relative_to(directory))] = path.read_bytes()
    return found


LINKS: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "direct": [(member("artifacts/key", tarfile.SYMTYPE, "{secret}"), b"")],
    "through a link": [
        (member("artifacts/dir", tarfile.SYMTYPE, "{outside}"), b""),
        (member("artifacts/dir/planted"), b"x"),
    ],
    "through a link to a link": [
        (member("artifacts/a", tarfile.SYMTYPE, "b/.."), b""),
        (member("artifacts/b", tarfile.SYMTYPE, "a/.."), b""),
        (member("artifacts/a/a/planted"), b"x"),
    ],
    "nested inside the tree": [
        (member("artifacts/d/up", tarfile.SYMTYPE, ".."), b""),
        (member("artifacts/e", tarfile.SYMTYPE, "d/up/../../../outside"), b""),
        (member("artifacts/e/planted"), b"x"),
    ],
    "dangling": [(member("artifacts/gone", tarfile.SYMTYPE, "nowhere"), b"")],
    "looping": [(member("artifacts/loop", tarfile.SYMTYPE, "loop"), b""), (member("artifacts/loop/x"), b"x")],
    "hard": [(member("artifacts/hard", tarfile.LNKTYPE, "{secret}"), b"")],
    "hard to a former member": [
        (member("artifacts/a"), b"x"), (member("artifacts/hard", tarfile.LNKTYPE, "artifacts/a"), b""),
    ],
    "device": [(member("artifacts/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b"")],
    "pipe": [(member("artifacts/pipe", tarfile.FIFOTYPE), b"")],
    "absolute": [(member("/etc/planted"), b"x"), (member("artifacts//etc/planted"), b"x")],
    "dots": [(member("artifacts/../../outside/planted"), b"x"), (member("artifacts/./x"), b"x")],
    "other place": [(member("elsewhere/planted"), b"x"), (member("artifacts"), b"x")],
    "file twice": [(member("artifacts/twice"), b"1"), (member("artifacts/twice"), b"2")],
    "file below a file": [(member("artifacts/file"), b"1"), (member("artifacts/file/x"), b"2")],
    "control characters": [(member("artifacts/\x1b[2J"), b"x"), (member("artifacts/a\nb"), b"x")],
}  # fmt: skip


@pytest.mark.parametrize("members", LINKS.values(), ids=LINKS)
def test_unpack_copies_only_regular_files_and_notes_the_others(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"key")
    for info, _ in members:
        info.linkname = info.linkname.format(secret=outside / "secret", outside=outside)
    archive = archive_of(tmp_path / "collected.tar", *members, (member("artifacts/good"), b"good"))

    notes = unpack(archive, tmp_path / "run" / "incoming", PLACES)

    assert below(outside) == {"secret": b"key"}
    found = below(tmp_path / "run")
    assert found.pop("incoming/artifacts/good") == b"good"
    assert set(found.values()) <= {b"x", b"1"}, "no link, and of two files the first"
    (note,) = notes
    assert note.startswith("not copied from the pod: ")
    assert note.isprintable()


def test_unpack_refuses_a_sparse_file_before_it_writes(tmp_path: Path) -> None:
    """10 KiB of archive would be 1 GiB of file."""
    header = member("artifacts/sparse", size=0).tobuf(tarfile.GNU_FORMAT)
    raw = bytearray(header)
    raw[156:157] = b"S"
    raw[386:410] = b"%011o\0%011o\0" % (0, 0)
    raw[483:495] = b"%011o\0" % (1 << 30)
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    archive = tmp_path / "collected.tar"
    archive.write_bytes(bytes(raw) + b"\0" * 1024)

    notes = unpack(archive, tmp_path / "incoming", PLACES)

    assert notes == ["not copied from the pod: artifacts/sparse (sparse files are not copied)"]
    assert below(tmp_path / "incoming") == {}


def test_unpack_refuses_a_sparse_file_of_the_newer_formats(tmp_path: Path) -> None:
    archive = tmp_path / "collected.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        info = member("artifacts/GNUSparseFile.0/s", pax_headers={
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "artifacts/s",
            "GNU.sparse.realsize": str(1 << 40),
        })  # fmt: skip
        content = b"1\n0\n0\n".ljust(512, b"\0")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    notes = unpack(archive, tmp_path / "incoming", PLACES)

    assert "sparse files are not copied" in notes[0]
    assert below(tmp_path / "incoming") == {}


@pytest.mark.parametrize(
    ("limits", "members", "reason"),
    [
        (Limits(bytes=10), [(member("artifacts/a"), b"x" * 6), (member("artifacts/b"), b"x" * 6)], "MiB in all"),
        (Limits(files=3), [(member(f"artifacts/{number}"), b"") for number in range(5)], "more than 3 members"),
        (Limits(), [(member("artifacts/" + "d/" * 40 + "x"), b"")], "path too long"),
        (Limits(), [(member("artifacts/" + "n" * 300), b"")], "name too long"),
    ],
    ids=["bytes", "files", "depth", "name"],
)
def test_unpack_notes_members_beyond_its_limits(
    tmp_path: Path, limits: Limits, members: list[tuple[tarfile.TarInfo, bytes]], reason: str
) -> None:
    archive = archive_of(tmp_path / "collected.tar", *members)

    notes = unpack(archive, tmp_path / "incoming", PLACES, limits=limits)

    assert [note for note in notes if reason in note]
    found = below(tmp_path / "incoming")
    assert sum(map(len, found.values())) <= limits.bytes
    assert len(found) <= limits.files


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_unpack_does_not_read_a_header_of_any_size(tmp_path: Path, kind: bytes) -> None:
    """A header of an extended format announces how much of the archive it is, and is read in one piece."""
    archive = tmp_path / "collected.tar"
    with archive.open("wb") as file:
        file.write(member("x", kind, size=512 << 20).tobuf(tarfile.GNU_FORMAT))
        file.truncate(600 << 20)

    (note,) = unpack(archive, tmp_path / "incoming", PLACES)

    assert "a header announces" in note


def test_unpack_ends_at_a_negative_size(tmp_path: Path) -> None:
    """tarfile of Python 3.11.7 reads such a member over and over."""
    raw = bytearray(member("artifacts/a").tobuf(tarfile.GNU_FORMAT))
    raw[124:136] = b"\xff" * 10 + b"\xfe\x00"
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    (tmp_path / "collected.tar").write_bytes(bytes(raw) * 3)

    (note,) = unpack(tmp_path / "collected.tar", tmp_path / "incoming", PLACES)

    assert "could not be unpacked completely" in note


@pytest.mark.parametrize(
    ("notes", "shown"),
    [
        (b'["fine \\u001b[2J"]', ["fine \\x1b[2J"]),
        (b"[" * 100_000, None),
        (b'{"a": 1}', None),
        (b"[1]", None),
        (b'["' + b"x" * 5000 + b'"]', ["x" * 1000]),
        (b"[" + b",".join([b'"n"'] * 150) + b"]", [*["n"] * 100, "50 more notes were dropped"]),
        (b'["' + b"x" * (2 << 20) + b'"]', None),
    ],
    ids=["control", "nested", "mapping", "numbers", "long", "many", "huge"],
)
def test_unpack_takes_notes_up_to_their_limits(tmp_path: Path, notes: bytes, shown: list[str] | None) -> None:
    archive = archive_of(tmp_path / "collected.tar", (member("notes.json"), notes))

    found = unpack(archive, tmp_path / "incoming", PLACES)

    if shown is None:
        assert len(found) == 1
        assert "the notes of the agent" in found[0]
    else:
        assert found == shown


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["artifacts", "cache", "..", ".", "", "a", "b", "l"]), min_size=1, max_size=5),
            st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]),
            st.sampled_from(["..", "../..", "/", "a", "l", "artifacts/a", "../../outside", "../../outside/secret"]),
        ),
        max_size=12,
    )
)
def test_unpack_changes_no_file_outside_of_its_target(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[list[str], bytes, str]]
) -> None:
    base = tmp_path_factory.mktemp("any")
    (base / "outside").mkdir()
    (base / "outside" / "secret").write_bytes(b"key")
    infos = [(member("/".join(parts), kind, link), b"planted") for parts, kind, link in members]
    archive = archive_of(base / "collected.tar", *((info, text if info.isreg() else b"") for info, text in infos))
    before = {name: content for name, content in below(base).items() if not name.startswith("run/")}

    unpack(archive, base / "run" / "incoming", PLACES)

    assert {name: content for name, content in below(base).items() if not name.startswith("run/")} == before
    assert b"key" not in below(base / "run").values()
    assert not [name for name, content in below(base / "run").items() if content.startswith(b"-> ")]


# Where files go from there, and what goes to the pod.


Case = Callable[[Path, Path], Path]


def _link_in_the_cache(project: Path, outside: Path) -> Path:
    (project / ".pytest_cache").mkdir()
    (project / ".pytest_cache" / "v").symlink_to(outside)
    return project / ".pytest_cache"


def _cache_is_a_link(project: Path, outside: Path) -> Path:
    (project / ".pytest_cache").symlink_to(outside)
    return project / ".pytest_cache"


def _file_is_a_link(project: Path, outside: Path) -> Path:
    (project / ".pytest_cache" / "v").mkdir(parents=True)
    (project / ".pytest_cache" / "v" / "secret").symlink_to(outside / "secret")
    return project / ".pytest_cache"


def _directory_above_is_a_link(project: Path, outside: Path) -> Path:
    (project / "reports").symlink_to(outside)
    return project / "reports" / "new"


@pytest.mark.parametrize("case", [_link_in_the_cache, _cache_is_a_link, _file_is_a_link, _directory_above_is_a_link])
def test_deliver_follows_no_link_of_the_project(tmp_path: Path, case: Case) -> None:
    """A pull request may contain links. Their targets are not changed."""
    outside, project, source = tmp_path / "outside", tmp_path / "project", tmp_path / "run" / "cache"
    for path in (outside, project, source / "v"):
        path.mkdir(parents=True)
    (outside / "secret").write_bytes(b"key")
    (source / "v" / "secret").write_bytes(b"planted")
    target = case(project, outside)

    deliver(source, target, root=project)

    assert below(outside) == {"secret": b"key"}


def test_deliver_replaces_links_and_copies_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"key")
    project, source = tmp_path / "project", tmp_path / "source"
    project.mkdir()
    source.mkdir()
    (source / "good").write_bytes(b"good")
    (source / "link").symlink_to(tmp_path / "secret")
    (project / "report.xml").symlink_to(tmp_path / "secret")

    assert deliver(source / "good", project / "report.xml", root=project) == []
    assert deliver(source, project / "out", root=project) == []

    assert (tmp_path / "secret").read_bytes() == b"key"
    assert below(project) == {"report.xml": b"good", "out/good": b"good"}


def test_deliver_writes_outside_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")

    assert deliver(tmp_path / "source", tmp_path / "elsewhere" / "deep" / "x", root=tmp_path / "project") == []
    assert (tmp_path / "elsewhere" / "deep" / "x").read_bytes() == b"x"


def test_cache_for_the_pod_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh" / "id_rsa").write_bytes(b"key")
    cache = tmp_path / "cache"
    (cache / "v").mkdir(parents=True)
    (cache / "v" / "lastfailed").write_bytes(b"{}")
    (cache / "v" / "id_rsa").symlink_to(tmp_path / "ssh" / "id_rsa")
    (cache / "d").symlink_to(tmp_path / "ssh")
    os.mkfifo(cache / "pipe")
    (tmp_path / "link").symlink_to(cache)

    assert read_tree_below(cache, limit=100) == {"v/lastfailed": b"{}"}
    assert read_tree_below(tmp_path / "link", limit=100) == {}
    assert read_tree_below(cache, limit=1) is None
