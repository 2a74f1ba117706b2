"""Test the tutorials: run the commands of their pages with seatrial installed from its wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import local_images
import pytest

SEATRIAL = Path(__file__).resolve().parents[1]
PAGES = SEATRIAL / "docs" / "tutorial"
CLUSTER = "orders-api-test"
PATIENCE = 1500
_BLOCK = re.compile(r"(?P<skipped><!-- not run.*?-->\n)?```sh\n(?P<commands>.*?)```", re.DOTALL)
_MARK = "=====8<===== "

CACHE = Path(
    os.environ.get("FOUNDRY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "foundry"
)


@dataclass(frozen=True)
class Said:
    """A code block of a page, and the output of its commands."""

    commands: str
    out: str
    err: str


def blocks(page: str) -> list[str]:
    """Return the command blocks of a page, except those marked as not run."""
    return [match["commands"] for match in _BLOCK.finditer((PAGES / page).read_text()) if not match["skipped"]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install seatrial from its wheel, as `uv tool install` does, and return the folder of its program."""
    uv = shutil.which("uv", path=f"{SEATRIAL.parent / '.venv' / 'bin'}:{os.environ['PATH']}")
    assert uv is not None, "uv is not installed; run: make setup"
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", SEATRIAL], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    env = {**os.environ, "UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    subprocess.run([uv, "tool", "install", "--quiet", str(wheel)], check=True, env=env)
    return folder / "bin"


def run(page: str, project: str, installed: Path, home: Path) -> list[Said]:
    """Run a page in one shell, stop at the first failing command, and return the output of each block."""
    script = "set -eu -o pipefail\n" + "".join(
        f"echo '{_MARK}{number}'; echo '{_MARK}{number}' >&2\n{commands}"
        for number, commands in enumerate(blocks(page))
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEATRIAL_")}
    env = {
        **kept,
        "HOME": str(home),
        # Use the user's own ledger, because all commands on this engine share registries and names.
        "XDG_STATE_HOME": os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state"),
        # The last folder is where `make setup` installs kind and Helm on a machine without them.
        "PATH": f"{installed}:{os.environ['PATH']}:{CACHE / 'bin'}",
        **(local_images.SETTINGS if local_images.present() else {}),
    }
    try:
        done = subprocess.run(
            ["bash", "-c", script], cwd=SEATRIAL, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    finally:
        if (home / project / "seatrial.toml").exists():
            subprocess.run(
                [installed / "seatrial", "down"], env=env, cwd=home / project, check=False, capture_output=True
            )
    print(done.stdout)
    print(done.stderr)
    assert done.returncode == 0
    outs, errs = (re.split(rf"{_MARK}\d+\n", text)[1:] for text in (done.stdout, done.stderr))
    return [Said(*parts) for parts in zip(blocks(page), outs, errs, strict=True)]


@pytest.fixture(scope="module")
def tutorial(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    return run("from-nothing-to-green.md", "orders-api", installed, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def compose(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    return run("from-compose-to-kubernetes.md", "compose/orders-api", installed, tmp_path_factory.mktemp("home"))


def said(tutorial: list[Said], command: str) -> Said:
    """Return the block that contains this command."""
    return next(each for each in tutorial if command in each.commands)


def test_tutorial_doctor_passes(tutorial):
    assert " 0 problems" in said(tutorial, "seatrial doctor").out


def test_tutorial_init_detects_project(tutorial):
    out = said(tutorial, "seatrial init").out

    assert "found    services of the charts: orders-api 80, postgresql 5432" in out
    assert "wrote    seatrial.toml" in out
    assert 'target = "tests"' in out
    assert said(tutorial, "config lint").out == "seatrial.toml: no warnings\n"


def test_tutorial_first_run_passes(tutorial):
    run = said(tutorial, "seatrial run")

    assert re.search(r"^=+ 7 passed in ", run.out, re.MULTILINE)
    assert re.search(r"^.* all tests passed: 7 passed, in .*; files in \.seatrial/runs/", run.err.splitlines()[-1])


def test_tutorial_run_collects_results(tutorial):
    block = said(tutorial, "runs/latest/result.json")
    names, brace, document = block.out.partition("{")
    result = json.loads(brace + document)

    assert {"events.jsonl", "junit.xml", "logs", "result.json"} <= set(names.split())
    assert (result["exit"], result["counts"]["passed"], result["verdict"]) == (0, 7, "all tests passed")
    assert result["tree"]["host"] == result["tree"]["pod"]
    assert sum(stage["seconds"] for stage in result["stages"]) > 0


def test_tutorial_broken_test_exits_1(tutorial):
    block = said(tutorial, "sed -i.orig")

    assert "exit code 1\n" in block.out
    assert "E       AssertionError" in block.out
    assert "1 failed, 6 passed" in block.out


def test_tutorial_last_failed_reruns_only_failures(tutorial):
    assert "1 passed" in said(tutorial, "--last-failed").out


def test_tutorial_broken_chart_exits_10(tutorial):
    block = said(tutorial, "nonesuch")

    assert block.out == "exit code 10\n"
    assert "nonesuch" in block.err
    assert "postgresql" in block.err


def test_tutorial_leaves_nothing(tutorial):
    containers = subprocess.run(
        ["docker", "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True, check=True
    ).stdout

    assert CLUSTER not in containers
    assert CLUSTER not in said(tutorial, "seatrial list").out


class TestFromCompose:
    def test_compose_tutorial_unchanged_tests_fail(self, compose):
        block = said(compose, "seatrial init")

        assert 'guessed  [compose.env] SEATRIAL_SERVICE_ORDERS_API = "orders-api:8080"' in block.out
        assert "exit code 1\n" in block.out
        assert "Connection refused" in block.out

    def test_compose_tutorial_patched_tests_pass(self, compose):
        block = [each for each in compose if each.commands.startswith("seatrial up\n")][-1]

        assert "4 passed" in block.out
        assert re.search(r"install +.*unchanged", block.err)

    def test_compose_tutorial_run_from_scratch_passes(self, compose):
        assert "4 passed" in said(compose, "seatrial run").out
