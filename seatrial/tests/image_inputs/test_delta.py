from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from seatrial.image_inputs.copied_files import analyze
from seatrial.image_inputs.delta import LIMIT, BuiltFileChanged, Delta, check_size, image_needs, matches, plan
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.image_inputs.sync_folders import SyncedFolders
from seatrial.image_inputs.working_tree import Entry, Files, Tree, digest
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


def manifest(**more: Any) -> ImageManifest:
    return ImageManifest(**{"dockerfile": "d", **more})


def causes(before: Files, now: Files, **more: Any) -> list[str]:
    """Return why a new image is needed, with tests and src as places."""
    analysis = analyze(TEXT)
    places = SyncedFolders(analysis, "/app", ("src", "tests"), {**before, **now})
    found = image_needs(
        manifest(files=before), manifest(files=now, **more), places=places, rebuild=REBUILD, everything=True
    )
    return [str(cause) for cause in found]


def test_unchanged_tree_needs_no_delta_and_no_build() -> None:
    now = files(tests__a_py="1")

    assert plan(tree=tree(now), pod=now).empty is True
    assert causes(now, now) == []


def test_delta_with_a_file_to_send_or_to_delete_is_not_empty() -> None:
    assert Delta(("a",), (), ()).empty is False
    assert Delta((), ("a",), ()).empty is False


def test_changes_are_sent_and_deletions_too() -> None:
    pod = files(tests__a_py="2", tests__b_py="1", tests__gone_py="1")
    now = files(tests__a_py="1", tests__b_py="2", tests__new_py="1", other_py="1")

    result = plan(tree=tree(now), pod=pod)

    assert result.send == ("tests/a.py", "tests/b.py", "tests/new.py")
    assert result.delete == ("tests/gone.py",)
    assert [str(cause) for cause in result.causes] == [
        "tests/a.py: changed, sent",
        "tests/b.py: changed, sent",
        "tests/gone.py: deleted, deleted in the pod too",
        "tests/new.py: new, sent",
    ]


def test_changed_mode_of_a_file_is_sent_and_that_of_a_directory_is_not() -> None:
    pod = {"tests": Entry("d", 0o2775, 0, ""), "tests/a": Entry("f", 0o644, 1, "1")}
    now = {"tests": Entry("d", 0o755, 0, ""), "tests/a": Entry("f", 0o755, 1, "1")}

    assert plan(tree=tree(now), pod=pod).send == ("tests/a",)


def test_files_that_the_build_created_stay() -> None:
    """An editable installation writes metadata next to the sources."""
    made = files(src__a_egg="1")
    now = files(src__a_py="1")

    assert plan(tree=tree(now, generated=made), pod={**now, **made}).empty
    assert digest(tree(now, generated=made).seen({**now, **made})) == digest(now)


@pytest.mark.parametrize("pod", [files(src__a_py="1"), files(src__a_py="1", src__a_egg="2")])
def test_changed_file_of_the_build_raises(pod: dict[str, Entry]) -> None:
    with pytest.raises(BuiltFileChanged) as caught:
        plan(tree=tree(files(src__a_py="1"), generated=files(src__a_egg="1")), pod=pod)
    assert caught.value.path == "src/a_egg"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("pyproject.toml", "which rebuilds the image: it is not in a synced folder"),
        ("src/pkg/schema.json", "which rebuilds the image (rebuild: src/*/schema.json)"),
        ("locks/floe.txt", "which rebuilds the image (rebuild: locks/*)"),
        ("scripts/start.sh", "which rebuilds the image: it is not in a synced folder"),
    ],
)
def test_file_outside_of_sync_and_file_of_a_rebuild_pattern_rebuild_the_image(path: str, reason: str) -> None:
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
    places = SyncedFolders(analysis, "/app", ("packages",), {**before, **now})

    found = image_needs(manifest(files=before), manifest(files=now), places=places, rebuild=default)
    assert [each.path for each in found] == ([path] if rebuilds else [])


def test_deleted_place_rebuilds_the_image() -> None:
    """`mv tests checks`: the pod would keep an empty folder, where a build leaves none, or fails."""
    before = {"tests": Entry("d", 0o755, 0, ""), **files(tests__a_py="1")}
    now = {"checks": Entry("d", 0o755, 0, ""), **files(checks__a_py="1")}

    assert "tests: deleted, which rebuilds the image" in causes(before, now)


def test_deleted_place_is_a_cause_if_it_is_the_only_one() -> None:
    before = {"tests": Entry("d", 0o755, 0, "")}
    places = SyncedFolders(analyze(TEXT), "/app", ("tests",), before)
    found = image_needs(manifest(files=before), manifest(), places=places, rebuild=())

    assert [str(cause) for cause in found] == ["tests: deleted, which rebuilds the image"]


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


def test_image_needs_returns_only_the_first_cause_by_default() -> None:
    entry = Entry("f", 0o644, 1, "1")
    places = SyncedFolders(analyze(TEXT), "/app", (), {})
    found = image_needs(manifest(), manifest(files={"a": entry, "b": entry}), places=places, rebuild=())

    assert [cause.path for cause in found] == ["a"]


def test_check_size_refuses_a_large_delta_and_names_its_files() -> None:
    sizes = {"data.bin": LIMIT, "more.bin": 11 << 18, "a": 40, "b": 30, "c": 20, "d": 10}
    found = {f"tests/{name}": Entry("f", 0o644, size, "1") for name, size in sizes.items()}

    with pytest.raises(UsageError) as caught:
        check_size(found, Delta(tuple(found), (), ()))

    assert caught.value.message == "the changed files to send to the runner have 52.8 MiB; the limit is 50 MiB"
    assert caught.value.reason == (
        "largest: tests/data.bin (50.0 MiB), tests/more.bin (2.8 MiB),"
        " tests/a (0.0 MiB), tests/b (0.0 MiB), tests/c (0.0 MiB)"
    )


@pytest.mark.parametrize("size", [0, LIMIT - 1, LIMIT])
def test_check_size_accepts_a_delta_up_to_the_limit(size: int) -> None:
    check_size({"tests/data.bin": Entry("f", 0o644, size, "1")}, Delta(("tests/data.bin",), (), ()))


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b.lock", "*.lock", False),
        ("b.lock", "*.lock", True),
        ("a/b/c.lock", "**/*.lock", True),
        ("c.lock", "**/*.lock", True),
        ("yc.lock", "**/c.lock", False),
        ("a/x", "a/**", True),
        ("requirements-dev.txt", "requirements*.txt", True),
        ("a1", "a[0-9]", True),
        ("ab", "a[0-9]", False),
        ("a.b", "a?b", True),
        ("./x", "./x", False),
        ("x", "./x", True),
    ],
)
def test_matches_follows_glob_rules(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, pattern) is expected


def entry(kind: str = "f", size: int = 1) -> Entry:
    return Entry(kind, 0o644, size, "x")


def test_data_files_that_runs_created_stay_in_the_pod() -> None:
    """Modules, settings, links and files that the tree lost are deleted."""
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
    assert [str(cause) for cause in result.causes if cause.path in result.kept] == [
        "tests/new/a.json: only in the pod, kept"
    ]
    assert plan(tree=tree(now), pod={**now, **extra}).kept == ()


def test_working_tree_takes_precedence_over_files_that_runs_created() -> None:
    now = {"tests": entry("d"), "tests/a.json": Entry("f", 0o644, 1, "mine"), "tests/b": entry()}
    pod = {"tests": entry("d"), "tests/a.json": entry(), "tests/b": entry("d"), "tests/b/c.json": entry()}

    result = plan(tree=tree(now), pod=pod, created=["tests/a.json", "tests/b", "tests/b/c.json"])

    assert (result.send, result.delete, result.kept) == (("tests/a.json", "tests/b"), ("tests/b/c.json",), ())


def test_file_that_a_run_created_keeps_its_directory_that_the_tree_lost() -> None:
    now = {"tests": entry("d")}
    pod = {**now, "tests/old": entry("d"), "tests/old/made.json": entry()}

    assert plan(tree=tree(now), pod=pod, created=["tests/old/made.json"]).kept == ("tests/old", "tests/old/made.json")


@pytest.mark.parametrize("most", [{f"tests/{i}": entry() for i in range(1000)}, {"tests/a": entry(size=LIMIT)}])
def test_files_that_runs_created_stay_up_to_the_limits(most: Files) -> None:
    assert plan(tree=tree({}), pod={"tests": entry("d"), **most}, created=most.keys()).delete == ()


@pytest.mark.parametrize("many", [{f"tests/{i}": entry() for i in range(1001)}, {"tests/a": entry(size=LIMIT + 1)}])
def test_too_many_files_that_runs_created_are_deleted(many: Files) -> None:
    result = plan(tree=tree({}), pod=many, created=many.keys())

    assert (result.kept, len(result.delete)) == ((), len(many))
