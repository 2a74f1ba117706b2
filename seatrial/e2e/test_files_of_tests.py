"""Test report files and snapshots of a kept environment: what comes back, what stays in the pod, what a run says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from shop_project import Shop

PLUGINS = "pytest-cov pytest-xdist"
SNAPSHOT = "tests/__snapshots__/test_snapshot.ambr"
TEST = """
def test_snapshot(snapshot):
    assert {"stock": 42} == snapshot
"""
COLLECT = ("--set", 'runner.collect-into-tree=["tests/**/__snapshots__/**"]')


@pytest.fixture(scope="module")
def with_plugins(shop: Shop) -> Iterator[Shop]:
    """Provide the environment with pytest-html and syrupy in the image."""
    shop.edit("Dockerfile", PLUGINS, f"{PLUGINS} pytest-html syrupy")
    test = shop.root / "tests" / "test_snapshot.py"
    test.write_text(TEST)
    yield shop
    test.unlink()
    shop.edit("Dockerfile", f"{PLUGINS} pytest-html syrupy", PLUGINS)
    shop("test")


def test_report_of_a_red_run_is_on_the_host_and_named(with_plugins: Shop) -> None:
    shop = with_plugins
    done = shop("test", "tests/test_snapshot.py", "--html=out/r.html", "-q", code=1)

    report = shop.root / "out" / "r.html"
    assert "test_snapshot" in report.read_text()
    assert (shop.root / "out" / "assets" / "style.css").is_file()
    assert "report: out/r.html" in done.err
    assert f"file://{report}" in done.out
    assert shop.result["reports"] == [str(report)]
    assert "does not exist" in shop("render").out


def test_snapshot_stays_in_the_pod_until_it_is_discarded(with_plugins: Shop) -> None:
    shop = with_plugins
    done = shop("test", "tests/test_snapshot.py", "--snapshot-update")
    assert f"1 file changed in the pod stays there: {SNAPSHOT}" in done.err
    assert not (shop.root / SNAPSHOT).exists()

    done = shop("test", "tests/test_snapshot.py")
    assert "all tests passed with 1 file that only the pod has" in done.err
    assert f"the tests ran with 1 file that only the pod has: {SNAPSHOT}" in done.err
    proof = shop.result["tree"]
    assert (proof["kept"], proof["host"]) == ([SNAPSHOT], proof["pod"])

    shop("test", "--discard", "tests/test_snapshot.py", code=1)
    assert shop.result["tree"]["kept"] == []


def test_snapshot_that_a_pattern_names_is_in_the_working_tree(with_plugins: Shop) -> None:
    """The next run sends nothing and is plainly green."""
    shop = with_plugins
    done = shop(*COLLECT, "test", "tests/test_snapshot.py", "--snapshot-update")
    assert f"1 file copied from the pod into the working tree: {SNAPSHOT}" in done.err
    assert "42" in (shop.root / SNAPSHOT).read_text()

    done = shop("test", "tests/test_snapshot.py")
    assert "all tests passed: 1 passed" in done.err
    facts = shop.stage("test")["facts"]
    assert (facts["sent"], facts["deleted"]) == ("0", "0")
    assert shop.result["pod_changes"] is None
    (shop.root / SNAPSHOT).unlink()
    (shop.root / SNAPSHOT).parent.rmdir()


def test_module_that_tests_created_does_not_reach_the_next_run(with_plugins: Shop) -> None:
    shop = with_plugins
    maker = shop.root / "tests" / "test_maker.py"
    maker.write_text(
        "import pathlib\n\ndef test_made():\n    pathlib.Path('tests/conftest.py').write_text('raise SystemExit(9)')\n"
    )
    try:
        done = shop("test", "tests/test_maker.py")
        told = "1 file created in the pod that Python or pytest may load; the next run deletes it: tests/conftest.py"
        assert told in done.err
        assert "all tests passed: 1 passed" in shop("test", "tests/test_maker.py").err
        assert not (shop.root / "tests" / "conftest.py").exists()
    finally:
        maker.unlink()
