"""Which file means what."""

from __future__ import annotations

import pytest
from seatrial.inpod.delta import LIMIT, Delta, Rebuild, below, check_size, matches, plan
from seatrial.inpod.tree import Entry
from seatrial.model.errors import UsageError

SYNC = ("tests", "src")
REBUILD = ("Dockerfile", "pyproject.toml", "**/pyproject.toml", "*.lock", "requirements*.txt", "locks/*")


def files(**texts: str) -> dict[str, Entry]:
    """Return files: `tests__a_py="1"` is tests/a.py with content 1."""
    return {
        name.replace("__", "/").replace("_py", ".py").replace("_toml", ".toml"): Entry("f", False, len(text), text)
        for name, text in texts.items()
    }


def test_nothing_changed() -> None:
    """The pod has the tree: nothing to do."""
    tree = files(tests__a_py="1")

    result = plan(image=tree, context=tree, tree=tree, pod=tree, sync=SYNC, rebuild=REBUILD)

    assert isinstance(result, Delta)
    assert result.empty


def test_changes_are_sent_and_deletions_too() -> None:
    """What differs between pod and tree goes over, whatever the image had."""
    image = files(tests__a_py="1", tests__b_py="1", tests__c_py="1")
    pod = files(tests__a_py="2", tests__b_py="1", tests__gone_py="1")
    tree = files(tests__a_py="1", tests__b_py="2", tests__new_py="1")

    result = plan(image=image, context=tree, tree=tree, pod=pod, sync=SYNC, rebuild=REBUILD)

    assert isinstance(result, Delta)
    assert result.send == ("tests/a.py", "tests/b.py", "tests/new.py")
    assert result.delete == ("tests/gone.py",)
    assert str(result.causes[0]) == "tests/a.py: changed, sent"


def test_a_mode_is_a_change() -> None:
    """chmod +x has to reach the pod."""
    plain, executable = {"tests/a": Entry("f", False, 1, "1")}, {"tests/a": Entry("f", True, 1, "1")}

    result = plan(image=plain, context=executable, tree=executable, pod=plain, sync=SYNC, rebuild=REBUILD)

    assert isinstance(result, Delta)
    assert result.send == ("tests/a",)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("pyproject.toml", "which rebuilds the image (rebuild: pyproject.toml)"),
        ("src/pkg/pyproject.toml", "which rebuilds the image (rebuild: **/pyproject.toml)"),
        ("locks/floe.txt", "which rebuilds the image (rebuild: locks/*)"),
        ("scripts/start.sh", "which is not below the paths that are sent (sync)"),
    ],
)
def test_other_changes_rebuild(path: str, why: str) -> None:
    """A dependency or a file outside of what is sent needs a new image."""
    before, after = {path: Entry("f", False, 1, "1")}, {path: Entry("f", False, 1, "2")}

    result = plan(image=before, context=after, tree={}, pod={}, sync=SYNC, rebuild=REBUILD)

    assert isinstance(result, Rebuild)
    assert [(cause.path, cause.what, cause.why) for cause in result.causes] == [(path, "changed", why)]


def test_a_new_dependency_file_rebuilds_and_so_does_a_deleted_one() -> None:
    """Also files that came or went."""
    entry = {"uv.lock": Entry("f", False, 1, "1")}

    assert isinstance(plan(image={}, context=entry, tree={}, pod={}, sync=SYNC, rebuild=REBUILD), Rebuild)
    assert isinstance(plan(image=entry, context={}, tree={}, pod={}, sync=SYNC, rebuild=REBUILD), Rebuild)


def test_too_much_is_refused_by_name() -> None:
    """Data that does not belong into a delta is named, largest first."""
    tree = {"tests/data.bin": Entry("f", False, LIMIT, "1"), "tests/more.bin": Entry("f", False, 2 << 20, "2")}

    with pytest.raises(UsageError) as caught:
        check_size(tree, Delta(tuple(tree), (), ()))

    assert "tests/data.bin (50.0 MB), tests/more.bin (2.0 MB)" in caught.value.why


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b.lock", "*.lock", False),
        ("b.lock", "*.lock", True),
        ("a/b/c.lock", "**/*.lock", True),
        ("c.lock", "**/*.lock", True),
        ("a/x", "a/**", True),
        ("requirements-dev.txt", "requirements*.txt", True),
        ("a1", "a[0-9]", True),
        ("ab", "a[0-9]", False),
        ("a.b", "a?b", True),
        ("./x", "./x", False),
        ("x", "./x", True),
    ],
)
def test_patterns(path: str, pattern: str, expected: bool) -> None:
    """Globs from the project's root."""
    assert matches(path, pattern) is expected


def test_below() -> None:
    """A name that begins like a path is not below it."""
    assert below("tests/a.py", ["tests"])
    assert below("tests", ["tests/"])
    assert not below("tests2/a.py", ["tests"])
    assert below("anything", ["."])
