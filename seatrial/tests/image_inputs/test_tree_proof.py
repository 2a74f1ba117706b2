"""Whether what was imported is what stands in the tree."""

from __future__ import annotations

from pathlib import Path

from seatrial.image_inputs.tree_proof import reason
from seatrial.image_inputs.working_tree import Entry, Tree, digest, packages
from seatrial.model.result import TreeProof

FILES = {
    "src/pkg/__init__.py": Entry("f", 0o644, 0, "empty"),
    "src/pkg/code.py": Entry("f", 0o644, 1, "new"),
    "src/lone.py": Entry("f", 0o644, 1, "lone"),
    "tests/test_x.py": Entry("f", 0o644, 1, "test"),
    "tests/data.json": Entry("f", 0o644, 1, "data"),
}
TREE = Tree(Path("/project"), ("src", "tests"), FILES, FILES, {}, FILES)
SAME = TreeProof(host="a", pod="a", files=5)


def test_the_tree_itself() -> None:
    """Modules imported from their places with their contents."""
    imports = {"pkg.code": ("/app/src/pkg/code.py", "new"), "test_x": ("/app/tests/test_x.py", "test")}

    assert reason(TREE, "/app", imports, SAME) == ""


def test_an_installed_copy_that_differs() -> None:
    """The tests ran against code that nobody edits."""
    imports = {"pkg.code": ("/usr/lib/python3/site-packages/pkg/code.py", "old")}

    assert reason(TREE, "/app", imports, SAME) == (
        "pkg.code was imported from /usr/lib/python3/site-packages/pkg/code.py, which is not src/pkg/code.py of the "
        "working tree; install the package as editable in the image, or rebuild it"
    )


def test_an_installed_copy_that_is_the_same() -> None:
    """Nothing is wrong with it yet."""
    assert reason(TREE, "/app", {"pkg.code": ("/x/site-packages/pkg/code.py", "new")}, SAME) == ""


def test_a_file_that_changed_under_the_tests() -> None:
    """At its place, but with another content."""
    assert "test_x was imported" in reason(TREE, "/app", {"test_x": ("/app/tests/test_x.py", "x")}, SAME)


def test_strangers_with_the_same_name() -> None:
    """A package of the image that only shares a name with a file of the project is none of its business."""
    imports = {"lone": ("/x/site-packages/lone/__init__.py", "x"), "lone.sub": ("/x/site-packages/lone/sub.py", "y")}

    assert reason(TREE, "/app", imports, SAME) == ""


def test_files_that_differ() -> None:
    """The digests of both sides say it without any import."""
    assert "differ from the working tree" in reason(TREE, "/app", {}, TreeProof(host="a", pod="b", files=1))
    assert reason(None, "/app", {}, TreeProof(host="a", pod="b", files=1)) == ""


def test_names_of_the_project() -> None:
    """Packages by their tops, modules by their names."""
    assert packages(TREE.files) == ["lone", "pkg", "test_x"]


def test_the_digest_covers_everything() -> None:
    """Path, kind, mode and content each change it."""
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


def test_modes_of_directories_do_not_count_in_the_digest() -> None:
    """In a pod they are the runner's own; that they are there counts."""
    assert digest({"a": Entry("d", 0o755, 0, "")}) == digest({"a": Entry("d", 0o2775, 0, "")})
    assert digest({"a": Entry("d", 0o755, 0, "")}) != digest({})
