"""Which file means what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.delta import LIMIT, Delta, Lost, check_size, image_needs, matches, plan
from seatrial.image_inputs.image_manifest import Manifest
from seatrial.image_inputs.sync_folders import Places
from seatrial.image_inputs.working_tree import Entry, Files, Tree, below, digest
from seatrial.model.errors import UsageError
from seatrial.model.spec import RunnerSpec

REBUILD = ("src/*/schema.json", "locks/*")
TEXT = "FROM a\nWORKDIR /app\nCOPY . .\n"


def files(**texts: str) -> dict[str, Entry]:
    """Return files: `tests__a_py="1"` is tests/a.py with content 1."""
    return {
        name.replace("__", "/").replace("_py", ".py").replace("_toml", ".toml"): Entry("f", 0o644, len(text), text)
        for name, text in texts.items()
    }


def tree(now: Files, built: Files | None = None, generated: Files | None = None) -> Tree:
    return Tree(Path("/p"), ("tests", "src"), now, now if built is None else built, generated or {}, now)


def manifest(**more: Any) -> Manifest:
    return Manifest(**{"dockerfile": "d", **more})


def causes(before: Files, now: Files, **more: Any) -> list[str]:
    """Return why a new image is needed, with tests and src as places."""
    analysis = analyze(TEXT)
    places = Places(analysis, "/app", ("src", "tests"), {**before, **now})
    found = image_needs(
        manifest(files=before), manifest(files=now, **more), places=places, rebuild=REBUILD, everything=True
    )
    return [str(cause) for cause in found]


def test_nothing_changed() -> None:
    """The pod has the tree: nothing to do."""
    now = files(tests__a_py="1")

    assert plan(tree=tree(now), pod=now).empty
    assert causes(now, now) == []


def test_changes_are_sent_and_deletions_too() -> None:
    """What differs between pod and tree goes over, whatever the image had."""
    pod = files(tests__a_py="2", tests__b_py="1", tests__gone_py="1")
    now = files(tests__a_py="1", tests__b_py="2", tests__new_py="1", other_py="1")

    result = plan(tree=tree(now), pod=pod)

    assert result.send == ("tests/a.py", "tests/b.py", "tests/new.py")
    assert result.delete == ("tests/gone.py",)
    assert str(result.causes[0]) == "tests/a.py: changed, sent"


def test_a_mode_is_a_change_and_that_of_a_directory_is_none() -> None:
    """chmod +x has to reach the pod."""
    pod = {"tests": Entry("d", 0o2775, 0, ""), "tests/a": Entry("f", 0o644, 1, "1")}
    now = {"tests": Entry("d", 0o755, 0, ""), "tests/a": Entry("f", 0o755, 1, "1")}

    assert plan(tree=tree(now), pod=pod).send == ("tests/a",)


def test_what_the_build_made_stays() -> None:
    """An editable installation leaves its metadata beside the sources."""
    made = files(src__a_egg="1")
    now = files(src__a_py="1")

    assert plan(tree=tree(now, generated=made), pod={**now, **made}).empty
    assert digest(tree(now, generated=made).seen({**now, **made})) == digest(now)


@pytest.mark.parametrize("pod", [files(src__a_py="1"), files(src__a_py="1", src__a_egg="2")])
def test_what_the_build_made_and_the_pod_lost_needs_a_new_pod(pod: dict[str, Entry]) -> None:
    """It is nowhere on the host."""
    with pytest.raises(Lost) as caught:
        plan(tree=tree(files(src__a_py="1"), generated=files(src__a_egg="1")), pod=pod)
    assert caught.value.path == "src/a_egg"


def test_files_outside_of_places_are_those_of_the_image() -> None:
    """So a change there that nobody built is seen in the proof."""
    built = files(tests__a_py="1", conf_py="1")
    now = files(tests__a_py="2", conf_py="2")
    pod = files(tests__a_py="2")

    assert digest(tree(now, built).seen(pod)) != digest(now)
    assert digest(tree({**built, **pod}, built).seen(pod)) == digest({**built, **pod})


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("pyproject.toml", "which rebuilds the image: it is not in a folder that files are sent to"),
        ("src/pkg/schema.json", "which rebuilds the image (rebuild: src/*/schema.json)"),
        ("locks/floe.txt", "which rebuilds the image (rebuild: locks/*)"),
        ("scripts/start.sh", "which rebuilds the image: it is not in a folder that files are sent to"),
    ],
)
def test_file_outside_of_sync_and_file_of_a_rebuild_pattern_rebuild_the_image(path: str, reason: str) -> None:
    """A dependency or a file outside of what is sent needs a new image."""
    entry, other = Entry("f", 0o644, 1, "1"), Entry("f", 0o644, 1, "2")

    assert causes({path: entry}, {path: other}) == [f"{path}: changed, {reason}"]
    assert causes({}, {path: entry}) == [f"{path}: new, {reason}"]
    assert causes({path: entry}, {}) == [f"{path}: deleted, {reason}"]


@pytest.mark.parametrize("path", ["packages/a/pyproject.toml", "packages/a/uv.lock"])
@pytest.mark.parametrize(
    ("run", "rebuilds"),
    [
        ("RUN pip install --require-hashes -r locks/all.txt", False),
        ("RUN uv sync --frozen", True),
        ("RUN pip install ./packages/a", True),
    ],
)
def test_dockerfile_alone_decides_on_metadata_below_sync_by_default(path: str, run: str, *, rebuilds: bool) -> None:
    """A default pattern would rebuild for a pyproject.toml that is only test data, or that nothing installs."""
    analysis = analyze(f"FROM a\nWORKDIR /app\nCOPY locks locks\nCOPY packages packages\n{run}\n")
    entry, other = Entry("f", 0o644, 1, "1"), Entry("f", 0o644, 1, "2")
    before, now = ({path: each, "packages/a/x.py": entry} for each in (entry, other))
    default = RunnerSpec(image="tests").rebuild
    places = Places(analysis, "/app", ("packages",), {**before, **now})

    found = image_needs(manifest(files=before), manifest(files=now), places=places, rebuild=default)
    assert [each.path for each in found] == ([path] if rebuilds else [])


def test_a_place_that_is_gone_rebuilds() -> None:
    """`mv tests checks`: the pod would keep an empty folder, where a build leaves none, or fails."""
    before = {"tests": Entry("d", 0o755, 0, ""), **files(tests__a_py="1")}
    now = {"checks": Entry("d", 0o755, 0, ""), **files(checks__a_py="1")}

    assert "tests: deleted, which rebuilds the image" in causes(before, now)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"dockerfile": "other"}, "Dockerfile: changed, which rebuilds the image"),
        ({"target": "t"}, "target: changed, which rebuilds the image"),
        ({"args": {"A": "1"}}, "build argument A: new, which rebuilds the image"),
        ({"secrets": {"id=a,src=/x": "1"}}, "build secret id=a: new, which rebuilds the image"),
        ({"bases": {"python:3": "sha256:2"}}, "base image python:3: new, which rebuilds the image"),
    ],
)
def test_inputs_that_are_no_files_rebuild(more: dict[str, Any], message: str) -> None:
    assert causes({}, {}, **more) == [message]


def test_the_first_cause_is_enough() -> None:
    """Only --explain wants all."""
    entry = Entry("f", 0o644, 1, "1")
    places = Places(analyze(TEXT), "/app", (), {})
    found = image_needs(manifest(), manifest(files={"a": entry, "b": entry}), places=places, rebuild=())

    assert [cause.path for cause in found] == ["a"]


def test_too_much_is_refused_by_name() -> None:
    """Data that does not belong into a delta is named, largest first."""
    found = {"tests/data.bin": Entry("f", 0o644, LIMIT, "1"), "tests/more.bin": Entry("f", 0o644, 2 << 20, "2")}

    with pytest.raises(UsageError) as caught:
        check_size(found, Delta(tuple(found), (), ()))

    assert "tests/data.bin (50.0 MB), tests/more.bin (2.0 MB)" in caught.value.reason


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


def entry(kind: str = "f", size: int = 1) -> Entry:
    return Entry(kind, 0o644, size, "x")


def test_data_files_that_runs_made_stay_in_the_pod() -> None:
    """Not modules, settings and links, and not what a run did not make: the tree had it and lost it."""
    now = {"tests": entry("d"), "tests/a": entry()}
    extra = {
        "tests/new": entry("d"), "tests/new/a.json": entry(), "tests/new/b.py": entry(), "tests/link": entry("l"),
        "tests/empty": entry("d"), "tests/pytest.ini": entry(), "tests/removed": entry(), "tests/pipe": entry("o"),
    }  # fmt: skip
    made = extra.keys() - {"tests/removed"}

    result = plan(tree=tree(now), pod={**now, **extra}, created=made)

    assert result.kept == ("tests/new", "tests/new/a.json")
    assert result.delete == (
        "tests/empty", "tests/link", "tests/new/b.py", "tests/pipe", "tests/pytest.ini", "tests/removed",
    )  # fmt: skip
    assert "tests/new/a.json: only in the pod, kept" in map(str, result.causes)
    assert plan(tree=tree(now), pod={**now, **extra}).kept == ()


def test_working_tree_wins_over_files_that_runs_made() -> None:
    now = {"tests": entry("d"), "tests/a.json": Entry("f", 0o644, 1, "mine"), "tests/b": entry()}
    pod = {"tests": entry("d"), "tests/a.json": entry(), "tests/b": entry("d"), "tests/b/c.json": entry()}

    result = plan(tree=tree(now), pod=pod, created=["tests/a.json", "tests/b", "tests/b/c.json"])

    assert (result.send, result.delete, result.kept) == (("tests/a.json", "tests/b"), ("tests/b/c.json",), ())


def test_file_that_a_run_made_keeps_the_directory_that_the_tree_lost() -> None:
    now = {"tests": entry("d")}
    pod = {**now, "tests/old": entry("d"), "tests/old/made.json": entry()}

    assert plan(tree=tree(now), pod=pod, created=["tests/old/made.json"]).kept == ("tests/old", "tests/old/made.json")


@pytest.mark.parametrize("many", [{f"tests/{i}": entry() for i in range(1001)}, {"tests/a": entry(size=LIMIT + 1)}])
def test_too_many_files_that_runs_made_are_deleted(many: Files) -> None:
    result = plan(tree=tree({}), pod=many, created=many.keys())

    assert (result.kept, len(result.delete)) == ((), len(many))
