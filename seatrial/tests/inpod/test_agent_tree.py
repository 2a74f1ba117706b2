"""Files into the pod."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from seatrial.inpod.agent.tree import Refused, apply, scan, seed


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


def test_files_links_and_modes(tmp_path: Path) -> None:
    """What the delta has is there afterwards; modes are plain or executable."""
    count = apply(
        archive(tree__a__b_py="text", tree__exec="run", c=link("tree/a/link", "b.py")), {"tree": str(tmp_path)}, []
    )

    assert count == 3
    assert scan(str(tmp_path), ["."])["a/b.py"][:3] == ["f", 0, 4]
    assert scan(str(tmp_path), ["."])["exec"][:3] == ["f", 1, 3]
    assert scan(str(tmp_path), ["."])["a/link"] == ["l", 0, 0, "b.py"]
    assert not [path for path in tmp_path.rglob("*") if "seatrial-" in path.name]


def test_compiled_modules_of_changed_files_go(tmp_path: Path) -> None:
    """Same size, same second: Python and pytest would run the old code."""
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name in ("mod.cpython-313.pyc", "mod.cpython-313-pytest-9.2.0.pyc", "mode.cpython-313.pyc"):
        (cache / name).touch()

    apply(archive(tree__mod_py="x"), {"tree": str(tmp_path)}, [])

    assert [path.name for path in cache.iterdir()] == ["mode.cpython-313.pyc"]


def test_compiled_modules_elsewhere_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONPYCACHEPREFIX puts them there."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "pyc"))
    place = tmp_path / "pyc" / str(tmp_path / "app").lstrip("/")
    place.mkdir(parents=True)
    (place / "mod.cpython-313.pyc").touch()

    apply(archive(tree__mod_py="x"), {"tree": str(tmp_path / "app")}, [])

    assert list(place.iterdir()) == []


def test_deletions_take_empty_directories_along(tmp_path: Path) -> None:
    """An empty directory would still be importable, and compiled modules in it would run."""
    apply(archive(tree__p__q__m_py="x", tree__keep_py="x"), {"tree": str(tmp_path)}, [])
    (tmp_path / "p/q/__pycache__").mkdir()
    (tmp_path / "p/q/__pycache__/m.cpython-313.pyc").touch()
    (tmp_path / "p/q/__pycache__/other.pyc").touch()

    apply(None, {"tree": str(tmp_path)}, ["tree/p/q/m.py", "tree/was/never/there.py"])

    assert [path.name for path in tmp_path.iterdir()] == ["keep.py"]


def test_a_file_becomes_a_directory_and_back(tmp_path: Path) -> None:
    """A rename over it works in one direction only."""
    apply(archive(tree__a__b="x"), {"tree": str(tmp_path)}, [])
    apply(archive(tree__a="x"), {"tree": str(tmp_path)}, [])
    assert (tmp_path / "a").is_file()

    apply(archive(tree__a__b="x"), {"tree": str(tmp_path)}, ["tree/a"])
    assert (tmp_path / "a/b").is_file()


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
def test_nothing_leads_out(tmp_path: Path, member: tarfile.TarInfo) -> None:
    """No name and no link, whoever wrote the archive; and nothing is left behind."""
    with pytest.raises(Refused):
        apply(archive(tree__first="x", m=member), {"tree": str(tmp_path)}, [])

    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_no_way_through_a_link_that_is_there(tmp_path: Path) -> None:
    """A link in the image cannot be used to write outside of the tree."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/out").symlink_to(tmp_path)

    with pytest.raises(Refused, match="leads out"):
        apply(archive(tree__out__x="x"), {"tree": str(tmp_path / "app")}, [])


def test_scan_leaves_compiled_modules_out(tmp_path: Path) -> None:
    """They are made in the pod; and paths that are not there are no files."""
    for name in ("a.py", "__pycache__/a.pyc", "b.pyc", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert list(scan(str(tmp_path), [".", "not/there"])) == ["a.py"]
    assert list(scan(str(tmp_path), ["a.py"])) == ["a.py"]


def test_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies once, and makes directories for what the image does not have."""
    monkeypatch.chdir(tmp_path)
    apply(archive(tree__src__a_py="1", tree__one="1"), {"tree": str(tmp_path)}, [])
    target = tmp_path / "volume"

    assert seed(str(target), ["src", "one", "none"]) == 0
    Path("src/a.py").write_text("2")
    assert seed(str(target), ["src", "one", "none"]) == 0

    assert (target / "src/a.py").read_text() == "1"
    assert sorted(path.name for path in target.iterdir()) == ["none", "one", "src"]
