from __future__ import annotations

from pathlib import Path

from seatrial.image_inputs.tree_proof import reason
from seatrial.image_inputs.working_tree import Entry, Tree
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


def test_reason_is_empty_for_modules_of_the_tree() -> None:
    imports = {"pkg.code": ("/app/src/pkg/code.py", "new"), "test_x": ("/app/tests/test_x.py", "test")}

    assert reason(TREE, "/app", imports, SAME) == ""


def test_reason_names_an_installed_copy_that_differs() -> None:
    imports = {"pkg.code": ("/usr/lib/python3/site-packages/pkg/code.py", "old")}

    assert reason(TREE, "/app", imports, SAME) == (
        "pkg.code was imported from /usr/lib/python3/site-packages/pkg/code.py, which is not src/pkg/code.py of the "
        "working tree; install the package as editable in the image, or rebuild it"
    )


def test_reason_is_empty_for_an_equal_installed_copy() -> None:
    assert reason(TREE, "/app", {"pkg.code": ("/x/site-packages/pkg/code.py", "new")}, SAME) == ""


def test_reason_names_a_file_that_changed_in_the_pod() -> None:
    assert "test_x was imported" in reason(TREE, "/app", {"test_x": ("/app/tests/test_x.py", "x")}, SAME)


def test_reason_ignores_modules_of_other_packages_with_the_same_name() -> None:
    imports = {"lone": ("/x/site-packages/lone/__init__.py", "x"), "lone.sub": ("/x/site-packages/lone/sub.py", "y")}

    assert reason(TREE, "/app", imports, SAME) == ""


def test_reason_names_different_digests() -> None:
    assert "differ from the working tree" in reason(TREE, "/app", {}, TreeProof(host="a", pod="b", files=1))
    assert reason(None, "/app", {}, TreeProof(host="a", pod="b", files=1)) == ""
