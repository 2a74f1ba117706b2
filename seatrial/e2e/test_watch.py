"""Test `seatrial watch` at a terminal on a real cluster: saves, bursts, broken files, keys and cleanup."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from shop_project import ENVIRONMENT, Shop
from typist import Typist

WAITING = "watching for changes"
TESTS = """\
import time


def test_one():
    time.sleep({seconds})


def test_two():
    assert {what}
"""


@pytest.fixture(scope="module")
def watched(shop) -> Iterator[Typist]:
    """Provide the command, waiting for changes."""
    save(shop)
    watch = Typist(shop.command("watch", "tests/test_watched.py", "-v"), env=ENVIRONMENT, cwd=shop.root)
    with watch:
        watch.expect("2 passed")
        watch.expect(WAITING)
        yield watch
    (shop.root / "tests" / "test_watched.py").unlink()


def save(shop: Shop, *, what: str = "True", seconds: float = 0) -> None:
    (shop.root / "tests" / "test_watched.py").write_text(TESTS.format(what=what, seconds=seconds))


def runs(shop: Shop) -> set[str]:
    """Return the names of the stored runs. Their number is not meaningful, because old runs are deleted."""
    return {each.name for each in (shop.root / ".seatrial" / "runs").iterdir() if not each.is_symlink()}


def test_watch_save_runs_failed_tests_first(shop, watched):
    save(shop, what="'first' == 'second'")
    watched.expect("1 failed, 1 passed")
    watched.expect(WAITING)
    save(shop)
    watched.expect("2 passed")
    watched.expect(WAITING)
    assert watched.shown.rindex("test_two PASSED") < watched.shown.rindex("test_one PASSED")


def test_watch_burst_of_saves_is_one_run(shop, watched):
    before = runs(shop)
    for number in range(30):
        (shop.root / "tests" / f"helper_{number}.py").write_text(f"NUMBER = {number}\n")
        time.sleep(0.03)
    watched.expect("2 passed")
    watched.expect(WAITING)
    time.sleep(2)
    assert len(runs(shop) - before) == 1
    for number in range(30):
        (shop.root / "tests" / f"helper_{number}.py").unlink()
    watched.expect(WAITING)
    assert shop.stage("test")["facts"]["deleted"] == "30"


def test_watch_save_during_run_starts_next_run(shop, watched):
    before = runs(shop)
    save(shop, seconds=2)
    watched.expect("test_watched.py::test_one", seconds=30)
    save(shop, what="'late' == 'later'")
    watched.expect("2 passed")
    watched.expect("1 failed, 1 passed")
    watched.expect(WAITING)
    assert len(runs(shop) - before) == 2


def test_watch_syntax_error_is_reported_and_watching_continues(shop, watched):
    (shop.root / "tests" / "test_watched.py").write_text("def test_one(:\n")
    watched.expect("SyntaxError")
    watched.expect("1 error")
    watched.expect(WAITING)
    save(shop)
    watched.expect("2 passed")
    watched.expect(WAITING)


def test_watch_ignores_files_outside_of_images(shop, watched):
    before = runs(shop)
    (shop.root / ".gitignore").write_text("*.log\n")
    (shop.root / "noise.log").write_text("x")
    (shop.root / ".seatrial" / "noise").write_text("x")
    time.sleep(2)
    assert runs(shop) == before

    # Git ignores the file, but the image contains it.
    (shop.root / "tests" / "data.log").write_text("x")
    watched.expect(WAITING)
    assert len(runs(shop) - before) == 1


def test_watch_keys(shop, watched):
    save(shop, what="'first' == 'second'")
    watched.expect("1 failed, 1 passed")
    watched.expect(WAITING)
    watched.type("f")
    watched.expect("1 failed")
    assert "passed" not in watched.expect(WAITING)
    watched.type("a")
    watched.expect("1 failed, 1 passed")
    watched.expect(WAITING)
    save(shop)
    watched.expect("2 passed")
    watched.expect(WAITING)
    watched.type("q")

    assert watched.ends(seconds=10) == 0
    # ps fails if it finds no process.
    argv = ["ps", "-o", "args=", "-s", str(watched.process.pid)]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == ""
    assert "kept until" in shop("list").out
