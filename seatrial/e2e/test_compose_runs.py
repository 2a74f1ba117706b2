"""Test runs in Docker Compose: results, a kept environment, failures, interruption and removal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import record_runs
from compose_shop import compose_shop, left
from local_images import SETTINGS
from shop_project import ENVIRONMENT, NAME, PATIENCE, docker

pytestmark = pytest.mark.removes("compose")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Provide a kept environment for all tests of this file that do not remove it."""
    it = compose_shop(tmp_path_factory, "ckept")
    it("up")
    yield it
    it("down")
    assert left(f"{NAME}-ckept") == []


@pytest.fixture(autouse=True)
def _clean(kept):
    """Restore the files that a test changes."""
    before = {path: path.read_text() for path in (kept.root / "tests/test_shop.py", kept.root / "compose.yaml")}
    yield
    for path, text in before.items():
        path.write_text(text)


def check_report(shop):
    """Check the report of a run with a wrong stock: the command that it names fails again, without variables."""
    nodeid = "tests/test_shop.py::test_stock"
    page = (shop.root / ".seatrial/runs/latest/report.html").read_text()
    assert nodeid in page
    assert "assert 42 == 43" in page
    assert f"| `{nodeid}` | `tests/test_shop.py:" in shop("report", "--format", "markdown").out
    brief = shop("report", "--format", "brief").out.splitlines()
    assert brief[0] == "verdict: tests failed (exit code 1): 1 failed, 3 passed"
    assert f"FAILED {nodeid}" in brief
    command = next(line for line in brief if line.startswith("reproduce: ")).removeprefix("reproduce: ")
    env = {name: value for name, value in shop.env.items() if not name.startswith("SEATRIAL_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    again = subprocess.run(
        ["bash", "-c", command], env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert again.returncode == 1, again.stdout + again.stderr
    assert "1 failed" in again.stdout
    assert shop.result["environment"] == "compose"


class TestRun:
    def test_run_passes_and_leaves_nothing(self, tmp_path_factory):
        it = compose_shop(tmp_path_factory, "crun")
        done = it("run", "--junitxml=out.xml")

        assert "4 passed" in done.out
        result = it.result
        assert result["environment"] == "compose"
        assert result["counts"]["passed"] == 4
        assert result["tree"]["host"] == result["tree"]["pod"]
        assert len(ET.parse(it.root / "out.xml").getroot().findall(".//testcase")) == 4
        assert (it.root / ".coverage").exists()
        log = (it.root / ".seatrial/runs/latest/logs/compose/migrations.log").read_text()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z migrated\n", log)
        assert left(f"{NAME}-crun") == []

    def test_failed_test_keeps_the_environment_if_asked(self, tmp_path_factory):
        it = compose_shop(tmp_path_factory, "cfail")
        (it.root / "data" / "stock").write_text("41")
        it("run", "--keep", "on-failure", code=1)
        assert it.result["kept"]

        (it.root / "data" / "stock").write_text("42")
        it("test")
        it("down")
        assert left(f"{NAME}-cfail") == []


class TestTutorial:
    def test_suite_of_the_tutorial_passes_with_what_init_drafted(self, tmp_path, monkeypatch):
        project = tmp_path / "orders-api"
        monkeypatch.setattr(record_runs, "PROJECT", project)
        env = {**ENVIRONMENT, **SETTINGS, "XDG_STATE_HOME": str(tmp_path / "state")}
        record_runs.create_compose_project(env)
        argv = [sys.executable, "-m", "seatrial", "run", "--env", "compose"]
        done = subprocess.run(argv, cwd=project, env=env, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        assert "4 passed" in done.stdout
        # A service with a Service of another port: the addresses that the tests use are those of the containers.
        facts = json.loads((project / ".seatrial/runs/latest/facts.json").read_text())
        ports = {each["service"]: each["port"] for each in facts["runner"]["ports"] if not each["error"]}
        assert ports == {"orders-api": 8080, "postgresql": 5432}
        assert facts["runner"]["usage"]["memory_peak"] > 1 << 20
        assert facts["runner"]["usage"]["cpu_seconds"] > 0
        # The report shows lines of services at their times.
        log = (project / ".seatrial/runs/latest/logs/compose/postgresql.log").read_text()
        assert all(re.match(r"\d{4}-\d\d-\d\dT\S+Z ", line) for line in log.splitlines())


class TestKept:
    def test_second_test_changes_nothing(self, kept):
        before = kept.inspect("test-runner")
        kept("test")
        kept("test")

        assert [kept.stage(name)["outcome"] for name in ("preflight", "build", "install", "ready")] == ["unchanged"] * 4
        assert kept.inspect("test-runner") == before

    def test_changed_test_is_sent(self, kept):
        kept("test")
        kept.edit("tests/test_shop.py", "== 42", "== 43")
        done = kept("test", code=1)

        assert "1 failed, 3 passed" in done.out
        assert kept.stage("test")["facts"]["sent"] == "1"
        assert kept.stage("build")["outcome"] == "unchanged"
        check_report(kept)

    def test_changed_service_is_recreated_alone(self, kept):
        kept("test")
        runner, web = kept.inspect("test-runner"), kept.inspect("web")
        kept.edit("compose.yaml", "cache:/cache", "cache:/other")
        kept("test")

        assert kept.inspect("test-runner") == runner
        assert kept.inspect("web") != web

    def test_deleted_container_is_created_again(self, kept):
        kept("test")
        docker("rm", "--force", f"{kept.project}-web-1")

        assert "4 passed" in kept("test").out

    def test_host_ports_and_fixed_names_are_dropped(self, kept):
        kept("test")

        assert kept.inspect("web", "{{json .HostConfig.PortBindings}}") in ("{}", "null")
        assert "shop-web" not in docker("ps", "--format", "{{.Names}}").split()

    def test_second_environment_of_a_copy_runs_beside_it(self, kept, tmp_path_factory):
        other = compose_shop(tmp_path_factory, "cbeside")

        assert "4 passed" in other("run").out
        assert kept.inspect("web", "{{.State.Running}}") == "true"

    def test_killed_tests_are_out_of_memory(self, kept):
        with (kept.root / "tests/test_shop.py").open("a") as file:
            file.write("\n\ndef test_hungry():\n    assert len(bytearray(4 << 30))\n")
        kept("test", "-k", "hungry", code=12)

        assert "memory" in kept.result["verdict"]
        # The next command creates the runner again.
        kept("test", "-k", "stock")


class TestHost:
    @pytest.mark.parametrize("relayed", [False, True])
    def test_tests_on_the_host_reach_services_without_host_ports(self, kept, relayed):
        test = kept.root / "host_tests.py"
        test.write_text(
            "import os, urllib.request\n\n\n"
            "def test_service(service):\n"
            "    assert os.environ['SHOP_PASSWORD'] == 'open $esame'\n"
            "    for url in (service('web').url, service('front').url, 'http://web:8080'):\n"
            "        assert urllib.request.urlopen(f'{url}/stock').read() == b'42'\n"
        )
        env = kept.env | ({"DOCKER_CONTEXT": "default"} if relayed else {})
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test.name]
        done = subprocess.run(argv, cwd=kept.root, env=env, capture_output=True, text=True, check=False)
        test.unlink()

        assert "1 passed" in done.stdout, done.stdout + done.stderr


class TestRemoval:
    def test_interrupted_run_removes_everything(self, tmp_path_factory):
        it = compose_shop(tmp_path_factory, "cint")
        process = it.start("run")
        wait_for(f"{NAME}-cint")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)

        assert process.returncode == 130
        assert left(f"{NAME}-cint") == []

    def test_next_command_removes_what_a_killed_run_left(self, tmp_path_factory):
        it = compose_shop(tmp_path_factory, "ckill")
        process = it.start("run")
        wait_for(f"{NAME}-ckill")
        process.kill()
        process.communicate(timeout=PATIENCE)
        foreign = docker("run", "--detach", "foundry.invalid/python:3.13", "sleep", "600").strip()
        try:
            done = it("clean", "--json")

            assert json.loads(done.out)
            assert left(f"{NAME}-ckill") == []
            assert docker("container", "inspect", "--format", "{{.State.Running}}", foreign).strip() == "true"
        finally:
            docker("rm", "--force", foreign)


def wait_for(name: str) -> None:
    """Wait until the first container of a Compose project exists."""
    until = time.monotonic() + 60
    while not any(each.startswith(name) for each in docker("ps", "--all", "--format", "{{.Names}}").split()):
        assert time.monotonic() < until, f"{name} has no container after 60 s"
        time.sleep(0.05)
