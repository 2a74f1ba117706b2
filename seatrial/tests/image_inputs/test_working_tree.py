from __future__ import annotations

from pathlib import Path

from seatrial.image_inputs.working_tree import (
    Entry,
    Files,
    Tree,
    below,
    digest,
    packages,
    parents,
    read_tree,
    same,
    shown,
)

FILES = {
    "src/pkg/__init__.py": Entry("f", 0o644, 0, "empty"),
    "src/pkg/code.py": Entry("f", 0o644, 1, "new"),
    "src/lone.py": Entry("f", 0o644, 1, "lone"),
    "tests/test_x.py": Entry("f", 0o644, 1, "test"),
    "tests/data.json": Entry("f", 0o644, 1, "data"),
}


def files(**texts: str) -> dict[str, Entry]:
    """Return files: `tests__a_py="1"` is tests/a.py with content 1."""
    return {
        name.replace("__", "/").replace("_py", ".py"): Entry("f", 0o644, len(text), text)
        for name, text in texts.items()
    }


def tree(now: Files, built: Files) -> Tree:
    return Tree(Path("/p"), ("tests", "src"), now, built, {}, now)


def test_packages_are_top_level_packages_and_single_modules() -> None:
    assert packages(FILES) == ["lone", "pkg", "test_x"]


def test_digest_covers_path_kind_mode_and_content() -> None:
    base = {"a": Entry("f", 0o644, 1, "x")}
    others = [
        {"b": Entry("f", 0o644, 1, "x")},
        {"a": Entry("l", 0o644, 1, "x")},
        {"a": Entry("f", 0o755, 1, "x")},
        {"a": Entry("f", 0o644, 1, "y")},
        {},
    ]

    assert len({digest(files) for files in [base, *others]}) == 6
    assert digest({"a": base["a"], "b": base["a"]}) == digest({"b": base["a"], "a": base["a"]})


def test_digest_ignores_modes_of_directories() -> None:
    """In a pod, the runner sets them."""
    assert digest({"a": Entry("d", 0o755, 0, "")}) == digest({"a": Entry("d", 0o2775, 0, "")})
    assert digest({"a": Entry("d", 0o755, 0, "")}) != digest({})


def test_seen_files_outside_of_places_are_those_of_the_image() -> None:
    """So the proof covers a change that was not built."""
    built = files(tests__a_py="1", conf_py="1")
    now = files(tests__a_py="2", conf_py="2")
    pod = files(tests__a_py="2")

    assert digest(tree(now, built).seen(pod)) != digest(now)
    assert digest(tree({**built, **pod}, built).seen(pod)) == digest({**built, **pod})


def test_wanted_has_generated_files_and_those_below_places() -> None:
    now, generated = files(tests__a_py="1", conf_py="1"), files(src__egg="1")

    assert Tree(Path("/p"), ("tests",), now, now, generated, now).wanted == {**generated, **files(tests__a_py="1")}


def test_seen_ignores_extra_files_of_the_pod() -> None:
    now = files(tests__a_py="1")
    pod = {**now, **files(tests__new="1")}

    assert tree(now, now).seen(pod, ["tests/new"]) == now
    assert tree(now, now).seen(pod) == pod


def test_read_tree_reads_files_below_existing_paths(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/a.py").write_text("1")
    (tmp_path / "other.py").write_text("1")

    read = read_tree(tmp_path, ["tests", "none", "tests"])

    assert read.places == ("tests", "none")
    assert set(read.files) == {"tests", "tests/a.py"}
    assert read.files["tests/a.py"].kind == "f"


def test_same_ignores_the_mode_of_a_directory() -> None:
    assert same(Entry("d", 0o755, 0, ""), Entry("d", 0o700, 0, ""))
    assert not same(Entry("f", 0o755, 1, "x"), Entry("f", 0o700, 1, "x"))


def test_below_compares_whole_names() -> None:
    assert below("tests/a.py", ["tests"])
    assert below("tests", ["tests/"])
    assert not below("tests2/a.py", ["tests"])
    assert below("anything", ["."])


def test_parents_are_listed_from_the_outermost() -> None:
    assert list(parents("a/b/c")) == ["a", "a/b"]
    assert list(parents("a")) == []


def test_shown_escapes_bytes_that_are_not_utf8() -> None:
    assert shown("a\udcff") == "a\\xff"
