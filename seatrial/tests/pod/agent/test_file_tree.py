"""Files into the pod."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import tarfile
from pathlib import Path

import pytest
from seatrial.pod.agent import file_tree
from seatrial.pod.agent.file_tree import Refused, apply, become_owner, scan, seed


def archive(**members: str | tarfile.TarInfo) -> tarfile.TarFile:
    """Return a tar; keyword values are texts or members; `__` stands for `/`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, value in members.items():
            if isinstance(value, tarfile.TarInfo):
                tar.addfile(value)
                continue
            member = tarfile.TarInfo(name.replace("__", "/").replace("_py", ".py"))
            member.size, member.mode = len(value), 0o755 if "exec" in name else 0o600
            tar.addfile(member, io.BytesIO(value.encode()))
    buffer.seek(0)
    return tarfile.open(fileobj=buffer)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member


def test_apply_writes_files_links_and_modes(tmp_path: Path) -> None:
    """What the delta has is there afterwards, with its modes."""
    count = apply(
        archive(tree__a__b_py="text", tree__exec="run", c=link("tree/a/link", "b.py"), d=folder("tree/empty/in")),
        {"tree": str(tmp_path)},
        [],
    )
    found = scan(str(tmp_path), ["."])

    assert count == 3
    assert found["a/b.py"][:3] == ["f", 0o600, 4]
    assert found["exec"][:3] == ["f", 0o755, 3]
    assert found["a/link"] == ["l", 0, 0, "b.py"]
    assert [path for path, entry in found.items() if entry[0] == "d"] == ["a", "empty", "empty/in"]
    assert not [path for path in tmp_path.rglob("*") if "seatrial-" in path.name]


def test_apply_deletes_compiled_modules_of_changed_files(tmp_path: Path) -> None:
    """Same size, same second: Python and pytest would run the old code."""
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name in ("mod.cpython-313.pyc", "mod.cpython-313-pytest-9.2.0.pyc", "mode.cpython-313.pyc"):
        (cache / name).touch()

    apply(archive(tree__mod_py="x"), {"tree": str(tmp_path)}, [])

    assert [path.name for path in cache.iterdir()] == ["mode.cpython-313.pyc"]


def test_apply_deletes_compiled_modules_in_the_cache_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONPYCACHEPREFIX puts them there."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "pyc"))
    place = tmp_path / "pyc" / str(tmp_path / "app").lstrip("/")
    place.mkdir(parents=True)
    (place / "mod.cpython-313.pyc").touch()

    apply(archive(tree__mod_py="x"), {"tree": str(tmp_path / "app")}, [])

    assert list(place.iterdir()) == []


def test_apply_uses_default_modes_outside_of_the_tree(tmp_path: Path) -> None:
    """Collected files get the default modes of the user, not those of the container."""
    apply(archive(files__a="text", files__exec="run", d=folder("files/d")), {"files": str(tmp_path)}, [])

    assert {path: entry[1] for path, entry in scan(str(tmp_path), ["."]).items()} == {"a": 0o644, "exec": 0o755}


def test_apply_deletes_named_directories(tmp_path: Path) -> None:
    """With what Python compiled there; others stay as empty as they are on the host."""
    apply(archive(tree__p__q__m_py="x", tree__r__m_py="x", tree__keep_py="x"), {"tree": str(tmp_path)}, [])
    (tmp_path / "p/q/__pycache__").mkdir()
    (tmp_path / "p/q/__pycache__/m.cpython-313.pyc").touch()
    (tmp_path / "p/q/__pycache__/other.pyc").touch()
    names = ["tree/p", "tree/p/q", "tree/p/q/m.py", "tree/r/m.py", "tree/was/never/there.py"]

    apply(None, {"tree": str(tmp_path)}, names)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["keep.py", "r"]


def test_apply_keeps_a_directory_that_is_not_empty(tmp_path: Path) -> None:
    """The comparison afterwards tells."""
    apply(archive(tree__p__other="x"), {"tree": str(tmp_path)}, [])
    apply(None, {"tree": str(tmp_path)}, ["tree/p"])

    assert (tmp_path / "p/other").exists()


def test_apply_replaces_a_file_with_a_directory_and_back(tmp_path: Path) -> None:
    """A rename over it works in one direction only."""
    place = {"tree": str(tmp_path)}
    apply(archive(tree__a__b="x"), place, [])
    apply(archive(tree__a="x"), place, ["tree/a/b"])
    assert (tmp_path / "a").is_file()

    apply(archive(d=folder("tree/a"), tree__a__b="x"), place, [])
    assert (tmp_path / "a/b").is_file()

    apply(archive(c=link("tree/a", "keep")), place, ["tree/a/b"])
    assert (tmp_path / "a").is_symlink()
    apply(archive(d=folder("tree/a"), tree__a__c="x"), place, [])
    assert (tmp_path / "a/c").is_file()


@pytest.mark.parametrize(
    "member",
    [
        link("tree/../out", "x"),
        link("other/x", "x"),
        link("tree/", "x"),
        link("tree//etc/passwd", "x"),
        link("tree/a", "/etc/passwd"),
        link("tree/a", "../x"),
        link("tree/a/b", "../../x"),
        link("tree/a", "tree/b", tarfile.LNKTYPE),
        link("tree/a", "", tarfile.CHRTYPE),
    ],
)
def test_apply_refuses_paths_outside_of_the_tree(tmp_path: Path, member: tarfile.TarInfo) -> None:
    """No name and no link, whoever wrote the archive; and nothing is left behind."""
    with pytest.raises(Refused):
        apply(archive(tree__first="x", m=member), {"tree": str(tmp_path)}, [])

    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_apply_refuses_paths_through_existing_links(tmp_path: Path) -> None:
    """A link in the image cannot be used to write outside of the tree."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/out").symlink_to(tmp_path)

    with pytest.raises(Refused, match="leads out"):
        apply(archive(tree__out__x="x"), {"tree": str(tmp_path / "app")}, [])


def test_scan_omits_compiled_modules(tmp_path: Path) -> None:
    """They are made in the pod; and paths that are not there are no files."""
    for name in ("a.py", "__pycache__/a.pyc", "lone.pyc", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert list(scan(str(tmp_path), [".", "not/there"])) == [".git", ".git/config", "a.py", "lone.pyc"]
    assert list(scan(str(tmp_path), ["a.py"])) == ["a.py"]


def test_scan_lists_special_files(tmp_path: Path) -> None:
    """Nothing blocks on a pipe."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        found = scan(str(tmp_path), ["."])

    assert {path: (entry[0], entry[3]) for path, entry in found.items()} == {
        "pipe": ("o", "fifo"),
        "socket": ("o", "socket"),
    }


def test_scan_of_an_unreadable_file_raises_unless_lenient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may create such a file. The next run deletes it."""

    def refuse(path: str, *_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    (tmp_path / "a").touch()
    monkeypatch.setattr(file_tree, "_sha256", refuse)

    assert scan(str(tmp_path), ["."], lenient=True) == {"a": ["o", 0, 0, "unreadable"]}
    with pytest.raises(PermissionError):
        scan(str(tmp_path), ["."])
    monkeypatch.setattr(os, "scandir", refuse)
    (tmp_path / "d").mkdir()
    assert scan(str(tmp_path), ["d"], lenient=True) == {"d": ["o", 0, 0, "unreadable"]}
    with pytest.raises(PermissionError):
        scan(str(tmp_path), ["d"])


def test_scan_omits_files_that_are_deleted_meanwhile(tmp_path: Path) -> None:
    """Editors and tests write while it lasts."""
    for name in ("a", "b/c", "d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def vanish(path: str, _: bool) -> bool:
        if path == "a":
            (tmp_path / "d").unlink()
        if path == "b":
            shutil.rmtree(tmp_path / "b")
        return False

    assert list(scan(str(tmp_path), ["."], vanish)) == ["a"]


def test_seed_copies_paths_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies once, and makes directories for what the image does not have."""
    monkeypatch.chdir(tmp_path)
    apply(archive(tree__src__a_py="1", tree__one="1"), {"tree": str(tmp_path)}, [])
    target = tmp_path / "volume"

    assert seed(str(target), ["src", "one", "none"]) == 0
    Path("src/a.py").write_text("2")
    assert seed(str(target), ["src", "one", "none"]) == 0

    assert (target / "src/a.py").read_text() == "1"
    assert sorted(path.name for path in target.iterdir()) == ["none", "one", "src"]


def test_seed_fills_an_empty_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1")
    for name in ("src", "none"):
        (tmp_path / "volume" / name).mkdir(parents=True)

    assert seed(str(tmp_path / "volume"), ["src", "none"]) == 0
    assert (tmp_path / "volume" / "src" / "a.py").read_text() == "1"


def test_become_owner_changes_directories_before_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    for name in ("chown", "setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda *arguments, name=name: calls.append((name, *arguments)))
    become_owner(1234, ["/a", "/b"])

    assert calls == [
        ("chown", "/a", 1234, 1234),
        ("chown", "/b", 1234, 1234),
        ("setgroups", []),
        ("setgid", 1234),
        ("setuid", 1234),
    ]


def test_seed_writes_the_listing_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later it tells what the build made from what was sent; a pipe is not copied."""
    monkeypatch.chdir(tmp_path)
    apply(archive(tree__src__a_py="1"), {"tree": str(tmp_path)}, [])
    os.mkfifo(tmp_path / "src/pipe")
    listing = tmp_path / "seed.json"

    assert seed(str(tmp_path / "volume"), ["src", "none"], str(listing)) == 0

    assert list(json.loads(listing.read_text())) == ["src", "src/a.py"]
    assert [path.name for path in (tmp_path / "volume/src").iterdir()] == ["a.py"]


def test_seed_fails_with_the_unreadable_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pod does not start, and its log says why."""

    def refuse(source: str, target: str, **_: object) -> None:
        raise shutil.Error([(source, target, "Permission denied: src/a.py")])

    monkeypatch.chdir(tmp_path)
    apply(archive(tree__src__a_py="1"), {"tree": str(tmp_path)}, [])
    monkeypatch.setattr(shutil, "copytree", refuse)

    assert seed(str(tmp_path / "volume"), ["src"]) == 1
    assert capsys.readouterr().err == "cannot copy src of the image: Permission denied: src/a.py\n"
