"""What CI systems run: lint-clean, without secrets, with one cluster name, always cleaned up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "k8s-tests.yml"
ACTION = ROOT / "action.yml"
GITLAB = ROOT / ".gitlab" / "k8s-tests.yml"
SHELLCHECK = Path(sys.executable).parent / "shellcheck"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def read(file: Path) -> Any:
    # YAML 1.1 reads the key `on` as a truth; GitHub does not.
    return yaml.safe_load(file.read_text().replace("\non:", "\n'on':"))


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(WORKFLOW)["jobs"][job]["steps"]
    return found


def scripts() -> Iterator[tuple[str, str]]:
    """Yield a name and the shell text of each step and line that a CI system runs."""
    for job in read(WORKFLOW)["jobs"]:
        yield from ((f"{job}: {step.get('name')}", step["run"]) for step in steps(job) if "run" in step)
    yield from ((f"action: {step['name']}", step["run"]) for step in read(ACTION)["runs"]["steps"] if "run" in step)
    for part in ("script", "after_script"):
        yield from ((f"gitlab: {part}", line) for line in read(GITLAB)["k8s-tests"][part])


def actionlint() -> str:
    """Return actionlint, from the PATH or as the foundry provides it."""
    if found := shutil.which("actionlint"):
        return found
    foundry = Path(sys.executable).parent / "foundry"

    def path() -> subprocess.CompletedProcess[str]:
        return subprocess.run([foundry, "path", "actionlint"], capture_output=True, text=True, check=False)

    if path().returncode:
        subprocess.run([foundry, "up", "actionlint"], capture_output=True, check=True)
    done = path()
    assert done.returncode == 0, f"foundry path actionlint: {done.stderr.strip()}"
    return done.stdout.strip()


def test_actionlint_is_content():
    # It runs shellcheck over the steps, too.
    done = subprocess.run(
        [actionlint(), "-no-color", f"-shellcheck={SHELLCHECK}", str(WORKFLOW)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "script"), list(scripts()), ids=lambda value: value if ": " in value[:40] else "")
def test_each_script_is_clean(name, script):
    text = "#!/bin/bash\n" + EXPRESSION.sub("expression", script) + "\n"

    done = subprocess.run([SHELLCHECK, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}\n{done.stdout}"
    # What a pull request is called must not become a command: values come by the environment.
    assert not [
        found for found in EXPRESSION.findall(script) if found.startswith(("github.event", "inputs", "github.head"))
    ]


def test_pull_requests_of_forks_run_without_secrets():
    workflow = read(WORKFLOW)

    assert "pull_request" in workflow["on"]
    assert "pull_request_target" not in workflow["on"]
    assert workflow["permissions"] == {"contents": "read"}
    for file in (WORKFLOW, ACTION, GITLAB):
        assert "secrets." not in file.read_text()


def test_one_cluster_name():
    """Who makes and who removes a cluster has the name from seatrial.toml; nobody calls kind himself."""
    for name, script in scripts():
        assert not re.search(r"\bkind (create|delete|load)\b", script), name


def test_what_was_made_is_removed_whatever_happened():
    (github,) = [step for step in steps("test-k8s") if "clean --all" in step.get("run", "")]
    (action,) = [step for step in read(ACTION)["runs"]["steps"] if "clean --all" in step.get("run", "")]
    gitlab = read(GITLAB)["k8s-tests"]["after_script"]

    assert github["if"] == action["if"] == "always()"
    assert "clean --all" in gitlab[-1]


def test_results_are_kept_whatever_happened():
    for found in (steps("test-k8s"), read(ACTION)["runs"]["steps"]):
        (upload,) = [step for step in found if step.get("uses", "").startswith("actions/upload-artifact@")]
        assert upload["if"].startswith("always()")
        assert upload["with"]["path"].endswith(".seatrial/runs/")
        # The folder's name begins with a dot.
        assert upload["with"]["include-hidden-files"] is True
    assert read(GITLAB)["k8s-tests"]["artifacts"]["when"] == "always"


def test_images_go_from_job_to_job():
    workflow = read(WORKFLOW)
    (saved,) = [step for step in steps("images") if step.get("uses", "").startswith("actions/cache@")]
    (restored,) = [step for step in steps("test-k8s") if step.get("uses", "").startswith("actions/cache/restore@")]

    assert workflow["jobs"]["test-k8s"]["needs"] == "images"
    assert saved["with"]["path"] == restored["with"]["path"]
    assert restored["with"]["key"] == "${{ needs.images.outputs.key }}"


def test_the_default_is_the_cluster():
    assert re.search(r"^test: test-k8s\b", (ROOT / "Makefile").read_text(), re.MULTILINE)


class TestAction:
    """The composite action's own steps, run as GitHub runs them, with a seatrial that only says what it was asked."""

    @pytest.fixture
    def runner(self, tmp_path):
        def run(*, seatrial: str, **inputs: str) -> tuple[subprocess.CompletedProcess[str], str]:
            program = tmp_path / "seatrial" / "bin" / "seatrial"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f"#!/bin/bash\nprintf '<%s>' \"$@\"\n{seatrial}\n")
            program.chmod(0o755)
            output = tmp_path / "output"
            output.write_text("")
            step = next(step for step in read(ACTION)["runs"]["steps"] if step.get("id") == "run")
            environment = {
                name: EXPRESSION.sub(lambda found: inputs[found[1].removeprefix("inputs.")], value)
                for name, value in step["env"].items()
            }
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                env={"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(output)}
                | environment,
                capture_output=True,
                text=True,
                check=False,
            )
            return done, output.read_text()

        return run

    def test_options_arrive_as_words(self, runner):
        done, output = runner(seatrial="exit 0", args="-k s3 -x", project="sub dir")

        assert done.stdout == "<--project><sub dir><run><-k><s3><-x>"
        assert output == "exit=0\n"

    @pytest.mark.parametrize("code", [1, 10, 12])
    def test_the_exit_code_is_told_and_kept(self, runner, code):
        done, output = runner(seatrial=f"exit {code}", args="", project=".")

        assert done.returncode == code
        assert output == f"exit={code}\n"
