"""Test runs that are ended during tests by Ctrl-C, SIGTERM or a timeout, also with paused nodes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from xml.etree import ElementTree as ET

import pytest
from shop_project import NAME, PATIENCE, Shop, containers, docker

SLOW = """
import time

def test_quick(): pass

def test_slow():
    time.sleep(300)
"""
HUNGRY = """
import os
import pathlib
import time

import shop

def write(directory):
    pathlib.Path(directory).mkdir()
    pathlib.Path(directory, "written").write_text("here")

def test_before():
    write("tests/out")
    write("/tmp/out")
    # Coverage and artifacts are written to the volume once a second.
    time.sleep(2.5)

def test_hungry():
    # Under cgroup v2 the kernel kills all processes of the container. Under v1 that takes killing PID 1: the memory is
    # that of no process, and the process with the highest score dies.
    pathlib.Path("/proc/1/oom_score_adj").write_text("1000")
    taken = os.memfd_create("taken")
    while True:
        os.write(taken, b"x" * (16 << 20))
"""
AT_ONCE = 10
"""Seconds until a run must have ended: 2 for its waits, the rest for renderer and logs on a busy machine."""


@pytest.fixture
def slow(shop: Shop):
    """Provide the environment with a slow test; resume its nodes afterwards."""
    path = shop.root / "tests" / "test_slow.py"
    path.write_text(SLOW)
    yield shop
    path.unlink()
    for node in containers(f"{NAME}-life"):
        subprocess.run(["docker", "unpause", node], capture_output=True, check=False)
    shop("test")


def start(shop: Shop, *argv: str) -> subprocess.Popen[str]:
    """Start a run and return once its slow test runs."""
    before = (shop.root / ".seatrial" / "runs" / "latest").resolve()
    run = shop.start(*argv, "test", "tests/test_slow.py")
    until = time.monotonic() + 120
    while time.monotonic() < until:
        latest = (shop.root / ".seatrial" / "runs" / "latest").resolve()
        events = latest / "events.jsonl"
        if latest != before and events.exists() and "test_slow.py::test_slow" in events.read_text():
            return run
        assert run.poll() is None, run.communicate()
        time.sleep(0.1)
    raise AssertionError("the slow test did not start")


def ended(run: subprocess.Popen[str]) -> tuple[int, float]:
    began = time.monotonic()
    _, err = run.communicate(timeout=PATIENCE)
    print(err)
    return run.returncode, time.monotonic() - began


def assert_partial(shop: Shop) -> None:
    assert shop.result["counts"]["passed"] == 1
    cases = ET.parse(shop.root / ".seatrial/runs/latest/junit.xml").iter("testcase")
    assert "test_quick" in [case.get("name") for case in cases]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_stops_pytest_in_pod_and_keeps_results(slow: Shop, number: int, code: int) -> None:
    run = start(slow)
    run.send_signal(number)

    assert ended(run)[0] == code
    assert_partial(slow)
    listing = "import os; print([open(f'/proc/{p}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()])"
    assert "pytest" not in slow.kubectl(
        "exec", "-n", "shop", "test-runner", "-c", "tests", "--", "python3", "-c", listing
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_run_on_paused_nodes(slow: Shop, number: int, code: int) -> None:
    run = start(slow)
    docker("pause", *containers(f"{NAME}-life"))
    time.sleep(2)
    run.send_signal(number)

    found, seconds = ended(run)
    assert (found, seconds < AT_ONCE) == (code, True), seconds
    assert_partial(slow)


def test_timeout_ends_run_on_paused_nodes(slow: Shop) -> None:
    run = start(slow, "--set", "timeouts.test=15")
    docker("pause", *containers(f"{NAME}-life"))

    found, seconds = ended(run)
    assert (found, seconds < 15 + AT_ONCE) == (11, True), seconds
    assert_partial(slow)
    assert json.loads((slow.root / ".seatrial/runs/latest/result.json").read_text())["exit"] == 11


def test_oom_killed_runner_is_reported_and_files_are_collected(shop: Shop) -> None:
    path = shop.root / "tests" / "test_hungry.py"
    path.write_text(HUNGRY)
    # A higher memory request lowers the OOM scores of the container's processes.
    requests = 'runner.resources.requests={cpu="250m", memory="1500Mi"}'
    settings = ("--set", 'runner.artifacts=["tests/out", "/tmp/out"]', "--set", requests)
    done = shop(*settings, "test", "tests/test_hungry.py", "--log-file=all.txt", code=12)
    path.unlink()

    assert "the runner died while running tests/test_hungry.py::test_hungry" in done.err
    assert "its container was killed by the kernel: out of memory (limit " in done.err
    assert shop.result["counts"]["passed"] == 1
    run = shop.root / ".seatrial" / "runs" / "latest"
    for place in ("tests/out", "tmp/out"):
        assert (run / "artifacts" / place / "written").read_text() == "here"
    assert (shop.root / "all.txt").exists()
    assert 'filename="src/shop/__init__.py"' in (run / "coverage" / "coverage.xml").read_text()
    assert "coverage is incomplete: pytest was killed" in done.err

    assert "8 passed" in shop("test").out
