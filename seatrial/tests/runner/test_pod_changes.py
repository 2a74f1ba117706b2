"""Files that tests make or change in the pod: which stay, which come into the working tree, and what proves a run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from seatrial.image_inputs.working_tree import Entry, Tree, entries
from seatrial.model.errors import ExitCode
from seatrial.model.event import Note
from seatrial.model.result import PodChanges
from seatrial.pod.agent.changes import MOST_BYTES, MOST_FILES
from seatrial.pod.agent.file_tree import scan
from seatrial.runner.archive import put_into_tree
from seatrial.runner.decoder import Malformed, TreeChanges, decode_changes
from seatrial.runner.pod_changes import applied, collect_into_tree, sort_changes
from seatrial.runner.run_tests import TestRun

from runner.bench import Bench

SNAPSHOTS = ("tests/**/__snapshots__/**",)
AMBER = "tests/__snapshots__/test_a.ambr"
SYRUPY = "def test_a(snapshot):\n    assert {'is': 1} == snapshot\n"


def run(bench: Bench, *args: str, collect: tuple[str, ...] = ()) -> TestRun:
    return bench.run(*args, sync=("tests",), collect=collect)


def warnings(bench: Bench) -> list[str]:
    return [each.text for each in bench.events if isinstance(each, Note) and each.level == "warning"]


def changes(ran: TestRun) -> PodChanges:
    assert ran.pod_changes is not None
    return ran.pod_changes


@pytest.fixture
def syrupy(bench: Bench) -> Bench:
    """An image of a project with a snapshot test and no snapshot."""
    bench.write(tests__test_a_py=SYRUPY)
    bench.build()
    return bench


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_snapshot_that_no_pattern_names_stays_in_the_pod(syrupy: Bench, workers: tuple[str, ...]) -> None:
    """Both runs report it; the second one also in its verdict."""
    assert run(syrupy).verdict.exit is ExitCode.TESTS_FAILED
    made = run(syrupy, "--snapshot-update", *workers)

    assert (made.verdict.exit, made.verdict.message) == (ExitCode.PASSED, "all tests passed")
    assert changes(made) == PodChanges(created=(AMBER,), copies=str(syrupy.run_dir / "changed"))
    assert (syrupy.run_dir / "changed" / AMBER).read_text() == (syrupy.pod.workdir / AMBER).read_text()
    assert not (syrupy.root / "tests/__snapshots__").exists()

    used = run(syrupy, *workers)
    assert used.verdict.exit is ExitCode.PASSED
    assert used.verdict.message == "all tests passed with 1 file that only the pod has"
    assert used.tree is not None
    assert (used.tree.kept, used.tree.host) == ((AMBER,), used.tree.pod)
    assert used.pod_changes is None


def test_snapshot_that_a_pattern_names_comes_into_the_working_tree(syrupy: Bench) -> None:
    """Then pod and working tree are equal: no file is sent, and none is only in the pod."""
    made = run(syrupy, "--snapshot-update", collect=SNAPSHOTS)
    assert changes(made).collected == made.collected.in_tree == (AMBER,)
    assert changes(made).created == ()
    assert (syrupy.root / AMBER).read_text() == (syrupy.pod.workdir / AMBER).read_text()

    used = run(syrupy, collect=SNAPSHOTS)
    assert (used.verdict.exit, used.verdict.message) == (ExitCode.PASSED, "all tests passed")
    assert used.tree is not None
    assert used.tree.kept == ()
    assert used.collected.in_tree == ()


def test_snapshot_that_changes_comes_into_the_working_tree(syrupy: Bench) -> None:
    run(syrupy, "--snapshot-update", collect=SNAPSHOTS)
    syrupy.write(tests__test_a_py=SYRUPY.replace("1", "2"))
    changed = run(syrupy, "--snapshot-update", collect=SNAPSHOTS)

    assert changes(changed).collected == (AMBER,)
    assert "'is': 2" in (syrupy.root / AMBER).read_text()


def test_changed_file_of_the_working_tree_is_reset(syrupy: Bench) -> None:
    """No pattern names it, so the file of the working tree is tested. A copy is in the directory of the run."""
    run(syrupy, "--snapshot-update", collect=SNAPSHOTS)
    syrupy.write(tests__test_a_py=SYRUPY.replace("1", "2"))
    changed = run(syrupy, "--snapshot-update")

    assert changes(changed).changed == (AMBER,)
    assert "'is': 2" in (syrupy.run_dir / "changed" / AMBER).read_text()
    assert "'is': 1" in (syrupy.root / AMBER).read_text()
    assert run(syrupy).verdict.exit is ExitCode.TESTS_FAILED


def test_edit_on_the_host_wins(syrupy: Bench) -> None:
    """Also for a file that the tests created in the pod."""
    run(syrupy, "--snapshot-update")
    (syrupy.root / AMBER).parent.mkdir()
    (syrupy.root / AMBER).write_text("# mine\n")
    assert run(syrupy).verdict.exit is ExitCode.TESTS_FAILED
    assert (syrupy.pod.workdir / AMBER).read_text() == "# mine\n"


def test_file_that_changes_here_while_the_tests_run_is_not_overwritten(bench: Bench) -> None:
    """Nor a file that is created or deleted on the host meanwhile."""
    for name in ("edited", "deleted", "appeared"):
        (bench.root / "tests/data").mkdir(parents=True, exist_ok=True)
        if name != "appeared":
            (bench.root / "tests/data" / name).write_text("before")
    there = bench.root / "tests/data"
    bench.write(
        tests__test_a_py=(
            "from pathlib import Path\n"
            "def test_a():\n"
            f"    here, there = Path('tests/data'), Path({str(there)!r})\n"
            "    for name in ('edited', 'deleted', 'appeared'): (here / name).write_text('pod')\n"
            "    (there / 'edited').write_text('host'), (there / 'deleted').unlink(missing_ok=True)\n"
            "    (there / 'appeared').write_text('host')\n"
        )
    )
    bench.build()
    ran = run(bench, collect=("tests/data/*",))

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.in_tree == ()
    assert {path.name: path.read_text() for path in there.iterdir()} == {"edited": "host", "appeared": "host"}
    assert sorted(warnings(bench)) == [
        "not copied into the working tree: tests/data/appeared (the working tree has another file there)",
        "not copied into the working tree: tests/data/deleted (deleted here while the tests ran)",
        "not copied into the working tree: tests/data/edited (changed here while the tests ran)",
    ]
    assert run(bench).verdict.exit is ExitCode.PASSED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("helper.py", "answer = 42\n"),
        ("conftest.py", "import pytest\n@pytest.fixture\ndef given(): return 42\n"),
        ("pytest.ini", "[pytest]\naddopts = -k nothing\n"),
        ("evil.egg-info/entry_points.txt", "[pytest11]\nevil = os\n"),
        ("link.json", None),
    ],
)
def test_what_python_or_pytest_would_load_is_deleted_before_the_next_run(
    bench: Bench, name: str, text: str | None
) -> None:
    """A run must not pass because of a module that only the pod has. A link may lead to one."""
    bench.write(
        tests__test_a_py=(
            "import os, pathlib\n"
            f"here, text = pathlib.Path('tests', {name!r}), {text!r}\n"
            "def test_a():\n"
            "    assert not os.path.lexists(here)\n"
            "    here.parent.mkdir(exist_ok=True)\n"
            "    here.write_text(text) if text else here.symlink_to('/etc/hosts')\n"
        )
    )
    bench.build()
    first = run(bench)
    assert first.verdict.exit is ExitCode.PASSED
    assert changes(first).discarded == (f"tests/{name}",)
    assert changes(first).created == ()

    second = run(bench)
    assert (second.verdict.exit, second.verdict.message) == (ExitCode.PASSED, "all tests passed")
    assert second.tree is not None
    assert second.tree.kept == ()


def test_module_that_appears_behind_the_comparison_is_not_green(bench: Bench) -> None:
    """A file that is written between deletion and start makes pod and working tree different."""
    bench.write(tests__test_a_py="def test_a(): pass\n")
    bench.build()
    files = entries(scan(str(bench.root), ["tests"]))
    tree = Tree(bench.root, ("tests",), files, files, {}, {})
    there = {**tree.files, "tests/late.py": Entry("f", 0o644, 1, "x"), "tests/late.txt": Entry("f", 0o644, 1, "x")}

    assert tree.seen(there, ["tests/late.txt", "tests/test_a.py"]) == {
        path: entry for path, entry in there.items() if path != "tests/late.txt"
    }


def test_files_of_pytest_regressions_come_by_a_pattern_that_means_them(bench: Bench) -> None:
    """pytest collects `test*.txt` as doctests, so `**` alone does not match it."""
    bench.write(
        tests__test_a_py=(
            "def test_data(data_regression): data_regression.check({'is': 1})\n"
            "def test_file(file_regression): file_regression.check('is 1')\n"
        )
    )
    bench.build()
    run(bench, "--force-regen", collect=("tests/**",))
    assert (bench.root / "tests/test_a/test_data.yml").is_file()
    assert not (bench.root / "tests/test_a/test_file.txt").exists()
    assert "tests/test_a/test_file.txt (Python or pytest would load it" in warnings(bench)[0]

    bench.pod.workdir.joinpath("tests/test_a/test_file.txt").unlink()
    again = run(bench, "--force-regen", collect=("tests/**", "tests/**/*.txt"))
    assert again.collected.in_tree == ("tests/test_a/test_file.txt",)
    assert run(bench).verdict.message == "all tests passed"


def test_modules_come_only_by_a_pattern_that_means_modules(bench: Bench) -> None:
    """inline-snapshot rewrites tests. `conftest.py` is never copied, and no file becomes executable."""
    bench.write(
        tests__test_a_py=(
            "import pathlib\n"
            "def test_a():\n"
            "    for name in ('made.py', 'conftest.py'):\n"
            "        (pathlib.Path('tests') / name).write_text('pass')\n"
            "        (pathlib.Path('tests') / name).chmod(0o755)\n"
        )
    )
    bench.build()
    assert run(bench, collect=("tests/**",)).collected.in_tree == ()
    assert run(bench, collect=("tests/*.py",)).collected.in_tree == ("tests/made.py",)
    assert not os.access(bench.root / "tests/made.py", os.X_OK) or os.geteuid() == 0
    assert (bench.root / "tests/made.py").stat().st_mode & 0o111 == 0


def test_changes_outside_of_synced_folders_are_not_told(bench: Bench) -> None:
    bench.write(
        tests__test_a_py="import pathlib\ndef test_a(): pathlib.Path('made.json').write_text('1')\n", other__b_py=""
    )
    bench.build()

    assert run(bench, collect=("**",)).pod_changes is None
    assert not (bench.root / "made.json").exists()


def test_deleted_file_of_the_working_tree_is_told_and_comes_back(bench: Bench) -> None:
    bench.write(tests__test_a_py="import os\ndef test_a(): os.remove('tests/data.json')\n", **{"tests__data.json": "1"})
    bench.build()

    assert changes(run(bench)).changed == ("tests/data.json",)
    assert run(bench).verdict.exit is ExitCode.PASSED


def test_interrupted_and_red_runs_tell_what_they_changed(bench: Bench) -> None:
    bench.write(
        tests__test_a_py=(
            "import os, pathlib, signal\n"
            "def test_a():\n    pathlib.Path('tests/a.json').write_text('1')\n    assert 0\n"
            "def test_b():\n    pathlib.Path('tests/b.json').write_text('1')\n    os.kill(os.getpid(), signal.SIGINT)\n"
        )
    )
    bench.build()
    ran = run(bench, collect=("tests/*.json",))

    assert ran.verdict.exit is not ExitCode.PASSED
    assert ran.collected.in_tree == ("tests/a.json", "tests/b.json")


def test_files_that_stay_move_aside_for_the_working_tree(bench: Bench) -> None:
    """The host has a file in place of their directory, or no directory."""
    bench.write(
        tests__test_a_py=(
            "import pathlib\n"
            "def test_a():\n"
            "    for name in ('made/a.json', 'gone/b.json'):\n"
            "        path = pathlib.Path('tests') / name\n"
            "        path.parent.is_file() or path.parent.mkdir(exist_ok=True) or path.write_text('1')\n"
        ),
        **{"tests__gone__c.json": "1"},
    )
    bench.build()
    assert changes(run(bench)).created == ("tests/gone/b.json", "tests/made/a.json")
    (bench.root / "tests/gone/c.json").unlink()
    (bench.root / "tests/gone").rmdir()
    (bench.root / "tests/made").write_text("a file now")
    ran = run(bench)

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.tree is not None
    assert ran.tree.kept == ("tests/gone/b.json",)
    assert (bench.pod.workdir / "tests/made").read_text() == "a file now"


# The host's side alone.


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    (root / "tests/a.json").write_text("before")
    (root / "tests/a.json").chmod(0o640)
    found = entries(scan(str(root), ["tests"]))
    return Tree(root, ("tests",), found, found, {}, {})


def made(*paths: str, size: int = 1) -> TreeChanges:
    return TreeChanges(created=dict.fromkeys(paths, ("f", 493, size, "x")))


def copies(tmp_path: Path, *paths: str, content: str = "pod") -> Path:
    for path in paths:
        (tmp_path / "changed" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "changed" / path).write_text(content)
    return tmp_path / "changed"


def test_collect_takes_only_what_is_below_the_synced_folders(tree: Tree, tmp_path: Path) -> None:
    notes: list[str] = []
    paths = ("tests/b.json", "elsewhere/b.json", ".git/hooks/post-checkout")

    assert collect_into_tree(copies(tmp_path, *paths), made(*paths), tree, ["**"], notes) == ("tests/b.json",)
    assert sorted(path.name for path in tree.root.iterdir()) == ["tests"]


def test_collect_follows_no_link_of_the_working_tree(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tree.root / "tests/away").symlink_to(tmp_path / "outside")
    (tree.root / "tests/link.json").symlink_to(tmp_path / "outside/target.json")
    notes: list[str] = []
    paths = ("tests/away/b.json", "tests/link.json")

    assert collect_into_tree(copies(tmp_path, *paths), made(*paths), tree, ["tests/**"], notes) == ()
    assert list((tmp_path / "outside").iterdir()) == []
    assert notes == ["not copied into the working tree: tests/away/b.json, tests/link.json (links are not followed)"]


def test_collect_has_limits(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["seatrial.runner.pod_changes"]
    monkeypatch.setattr(module, "MOST_FILES", 2)
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    notes: list[str] = []
    paths = ("tests/1", "tests/2", "tests/3")
    found = copies(tmp_path, *paths)
    assert collect_into_tree(found, made(*paths), tree, ["tests/*"], notes) == ("tests/1", "tests/2")
    copies(tmp_path, "tests/4", content="more than ten bytes")
    assert collect_into_tree(found, made("tests/4", "tests/missing"), tree, ["tests/*"], notes) == ()
    assert notes == [
        "not copied into the working tree: tests/3 (beyond 2 files or 0 MiB)",
        "not copied into the working tree: tests/4, tests/missing (beyond 2 files or 0 MiB)",
    ]


def test_collect_keeps_the_mode_of_a_file_that_is_there(tree: Tree, tmp_path: Path) -> None:
    source = copies(tmp_path, "a.json") / "a.json"
    source.chmod(0o755)

    assert put_into_tree(source, tree.root, "tests/a.json", tree.files["tests/a.json"]) == ""
    assert (tree.root / "tests/a.json").read_text() == "pod"
    assert (tree.root / "tests/a.json").stat().st_mode & 0o777 == 0o640


def test_put_into_tree_refuses_what_is_no_file(tree: Tree, tmp_path: Path) -> None:
    source = copies(tmp_path, "a.json") / "a.json"
    (tree.root / "tests/folder").mkdir()
    os.mkfifo(tree.root / "tests/pipe")

    assert put_into_tree(source, tree.root, "tests/folder", None)
    assert put_into_tree(source, tree.root, "tests/pipe", None) == "no regular file is there"


def test_sorted_changes_of_a_pod_that_died_do_not_stay(tree: Tree) -> None:
    found = TreeChanges(
        created={"tests/b": ("f", 0o644, 1, "x"), "tests/d": ("d", 0o755, 0, "")}, deleted=["tests/gone"]
    )

    assert sort_changes(found, tree, (), stays=False, copies=None) == PodChanges(created=("tests/b",), stays=False)


def test_sorted_changes_have_safe_names_and_a_limit(tree: Tree) -> None:
    found = made("tests/\x1b[2J", *(f"tests/{number}" for number in range(2000)))
    named = sort_changes(found, tree, (), stays=True, copies=None).created

    assert len(named) == 1000
    assert named[0] == r"tests/\x1b[2J"


def test_file_that_stayed_and_changed_again_still_stays(tree: Tree) -> None:
    found = TreeChanges(changed={"tests/kept.json": ("f", 0o644, 1, "y")}, deleted=["tests/other.json"])

    assert sort_changes(found, tree, (), stays=True, copies=None) == PodChanges(created=("tests/kept.json",))


def test_applied_changes_are_what_the_pod_has() -> None:
    one, two = Entry("f", 0o644, 1, "1"), Entry("f", 0o644, 1, "2")
    found = TreeChanges(created={"c": ("f", 0o644, 1, "2")}, changed={"a": ("f", 0o644, 1, "2")}, deleted=["b"])

    assert applied({"a": one, "b": one}, found) == {"a": two, "c": two}
    assert applied({"a": one}, None) == {"a": one}


@pytest.mark.parametrize("path", ["tests/../../x", "/etc/x", "tests//x", "./x", "..", ""])
@pytest.mark.parametrize("key", ["created", "changed", "deleted"])
def test_path_that_leads_out_of_the_folders_is_refused(key: str, path: str) -> None:
    found = [path] if key == "deleted" else {path: ["f", 0o644, 1, "x"]}

    with pytest.raises(Malformed, match="no path below"):
        decode_changes(json.dumps({key: found}).encode())


@pytest.mark.parametrize("path", ["tests/../../x", "/x", "tests//x"])
def test_put_into_tree_stays_in_the_tree(tree: Tree, tmp_path: Path, path: str) -> None:
    source = copies(tmp_path, "a.json") / "a.json"

    assert put_into_tree(source, tree.root, path, None) == "it is no path below the project"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["changed", "project"]


@pytest.mark.parametrize("text", [b"[]", b'{"created": {"a": 1}}', b'{"created": {"a": ["f", -1, 1, "x"]}}', b"{"])
def test_list_of_changes_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        decode_changes(text)


def test_more_changes_than_are_sent_are_named(bench: Bench) -> None:
    """The smallest files are copied first."""
    bench.write(
        tests__test_a_py=(
            "import pathlib\n"
            "def test_a():\n"
            f"    pathlib.Path('tests/large.bin').write_bytes(b'x' * {MOST_BYTES})\n"
            f"    for number in range({MOST_FILES}): pathlib.Path(f'tests/{{number}}.json').write_text('1')\n"
        )
    )
    bench.build()
    ran = run(bench, collect=("tests/*.bin",))

    assert warnings(bench) == ["not copied into the working tree: tests/large.bin (beyond 1000 files or 50 MiB)"]
    assert len(list((bench.run_dir / "changed/tests").iterdir())) == MOST_FILES
    assert len(changes(ran).created) == MOST_FILES
    # More than 1000 files that no pattern names are leftovers.
    again = run(bench)
    assert again.tree is not None
    assert again.tree.kept == ()
