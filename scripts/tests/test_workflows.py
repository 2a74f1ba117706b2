"""Test the CI configurations: they are lint-clean, use no secrets and one cluster name, and always clean up."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "k8s-tests.yml"
CHECK = ROOT / ".github" / "workflows" / "check.yml"
ACTION = ROOT / "action.yml"
GITLAB = ROOT / ".gitlab" / "k8s-tests.yml"
SHELLCHECK = Path(sys.executable).parent / "shellcheck"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def read(file: Path) -> Any:
    # YAML 1.1 reads the key `on` as a boolean; GitHub does not.
    return yaml.safe_load(file.read_text().replace("\non:", "\n'on':"))


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(WORKFLOW)["jobs"][job]["steps"]
    return found


def scripts() -> Iterator[tuple[str, str]]:
    """Yield name and shell text of each step and line that a CI system runs."""
    for job in read(WORKFLOW)["jobs"]:
        yield from ((f"{job}: {step.get('name')}", step["run"]) for step in steps(job) if "run" in step)
    yield from ((f"action: {step['name']}", step["run"]) for step in read(ACTION)["runs"]["steps"] if "run" in step)
    for part in ("script", "after_script"):
        yield from ((f"gitlab: {part}", line) for line in read(GITLAB)["k8s-tests"][part])


def actionlint() -> str:
    """Provide actionlint, from PATH or foundry."""
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


def test_workflows_pass_actionlint():
    # It also runs shellcheck on the steps.
    done = subprocess.run(
        [actionlint(), "-no-color", f"-shellcheck={SHELLCHECK}", str(WORKFLOW), str(CHECK)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "script"), list(scripts()), ids=lambda value: value if ": " in value[:40] else "")
def test_ci_script_passes_shellcheck(name, script):
    text = "#!/bin/bash\n" + EXPRESSION.sub("expression", script) + "\n"

    done = subprocess.run([SHELLCHECK, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}\n{done.stdout}"
    # The title of a pull request must not become a command, so values are passed in the environment.
    assert not [
        found for found in EXPRESSION.findall(script) if found.startswith(("github.event", "inputs", "github.head"))
    ]


def test_workflows_use_no_secrets():
    workflow = read(WORKFLOW)

    assert "pull_request" in workflow["on"]
    assert "pull_request_target" not in workflow["on"]
    assert workflow["permissions"] == {"contents": "read"}
    for file in (WORKFLOW, ACTION, GITLAB):
        assert "secrets." not in file.read_text()


def test_ci_uses_one_cluster_name():
    """All jobs use the name in seatrial.toml, and none calls kind directly."""
    for name, script in scripts():
        assert not re.search(r"\bkind (create|delete|load)\b", script), name


def test_ci_always_cleans_up():
    (github,) = [step for step in steps("test-k8s") if "clean --all" in step.get("run", "")]
    (action,) = [step for step in read(ACTION)["runs"]["steps"] if "clean --all" in step.get("run", "")]
    gitlab = read(GITLAB)["k8s-tests"]["after_script"]

    assert github["if"] == action["if"] == "always()"
    assert "clean --all" in gitlab[-1]


def test_ci_always_uploads_results():
    for found in (steps("test-k8s"), read(ACTION)["runs"]["steps"]):
        upload, *more = [step for step in found if step.get("uses", "").startswith("actions/upload-artifact@")]
        assert [step["with"]["name"] for step in more] in ([], ["${{ inputs.artifact }}-report"])
        assert upload["if"].startswith("always()")
        assert upload["with"]["path"].endswith(".seatrial/runs/")
        # The folder's name begins with a dot.
        assert upload["with"]["include-hidden-files"] is True
    assert read(GITLAB)["k8s-tests"]["artifacts"]["when"] == "always"


def test_ci_passes_images_between_jobs():
    workflow = read(WORKFLOW)
    (saved,) = [step for step in steps("images") if step.get("uses", "").startswith("actions/cache@")]
    (restored,) = [step for step in steps("test-k8s") if step.get("uses", "").startswith("actions/cache/restore@")]

    assert workflow["jobs"]["test-k8s"]["needs"] == "images"
    assert saved["with"]["path"] == restored["with"]["path"]
    assert restored["with"]["key"] == "${{ needs.images.outputs.key }}"


def test_make_test_runs_in_cluster():
    assert re.search(r"^test: test-k8s\b", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_test_integration_runs_in_compose():
    assert re.search(r"^test-integration: test-docker\b", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_test_says_how_to_run_in_compose(tmp_path):
    (target,) = re.findall(r"^test: test-k8s.*\n\t@(.*)\n", (ROOT / "Makefile").read_text(), re.MULTILINE)
    said = subprocess.run(["bash", "-c", target], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert "make test-integration" in said.stderr


class TestAction:
    """Run the composite action's own steps as GitHub does, with a `seatrial` that prints its arguments."""

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

    def test_action_passes_options_as_separate_arguments(self, runner):
        done, output = runner(seatrial="exit 0", args="-k s3 -x", project="sub dir")

        assert done.stdout == "<--project><sub dir><run><-k><s3><-x>"
        assert output == "exit=0\n"

    @pytest.mark.parametrize("code", [1, 10, 12])
    def test_action_reports_and_keeps_exit_code(self, runner, code):
        done, output = runner(seatrial=f"exit {code}", args="", project=".")

        assert done.returncode == code
        assert output == f"exit={code}\n"


def uses() -> list[tuple[str, str]]:
    """Return each action used anywhere, including documentation, with the file."""
    files = [
        *(ROOT / ".github").rglob("*.y*ml"),
        ACTION,
        ROOT / "README.md",
        *(ROOT / "seatrial").rglob("docs/**/*.md"),
    ]
    found = []
    for file in files:
        lines = re.findall(r"^\s*-?\s*uses:\s*(.+)$", file.read_text(), re.MULTILINE)
        found += [(str(file.relative_to(ROOT)), line.strip()) for line in lines]
    return [(file, line) for file, line in found if not line.startswith("./")]


def test_actions_are_pinned_by_digest_and_version():
    found = uses()

    assert {file for file, _ in found} >= {"action.yml", ".github/workflows/k8s-tests.yml"}
    assert [each for each in found if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each[1])] == []


def test_action_version_has_one_digest():
    pinned: dict[str, set[str]] = {}
    for _, line in uses():
        action, _, pin = line.partition("@")
        pinned.setdefault("/".join(action.split("/")[:2]), set()).add(pin)

    assert {action: pins for action, pins in pinned.items() if len(pins) != 1} == {}


def step(name: str) -> str:
    """Return the script of a step of the action."""
    (found,) = (step["run"] for step in read(ACTION)["runs"]["steps"] if step.get("name") == name)
    return str(found)


KIND = "#!/bin/sh\necho kind as released\n"
CURL = """#!/bin/bash
while [ $# -gt 0 ]; do
  case "$1" in --output) output=$2; shift ;; https://*) url=$1 ;; esac
  shift
done
echo "$url" >>"$LOG"
case "$url" in
  *.sha256sum) printf '%s  %s\n' "$PUBLISHED" "$(basename "${url%.sha256sum}")" >"$output" ;;
  *) printf '%s' "$DOWNLOAD" >"$output" ;;
esac
"""


class Runner:
    """A CI runner on which the action installs kind. It has its own kind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "urls"
        self.path = root / "github-path"
        self.path.touch()
        for name, text in (
            ("curl", CURL),
            ("kind", "#!/bin/sh\necho the runner's own\n"),
            ("uname", "#!/bin/sh\necho x86_64\n"),
        ):
            (root / "own" / name).parent.mkdir(exist_ok=True)
            (root / "own" / name).write_text(text)
            (root / "own" / name).chmod(0o755)

    def install(self, *, version: str = "v9.9.9", sha256: str = "", published: str = "") -> int:
        environ = {
            "PATH": f"{self.root / 'own'}:/usr/bin:/bin",
            "RUNNER_TEMP": str(self.root),
            "GITHUB_PATH": str(self.path),
            "LOG": str(self.log),
            "DOWNLOAD": KIND,
            "PUBLISHED": published,
            "VERSION": version,
            "SHA256": sha256,
        }
        # As on a runner:
        # https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#exit-codes-and-error-action-preference
        argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Install kind")]
        return subprocess.run(argv, env=environ, capture_output=True, check=False).returncode

    @property
    def kind(self) -> str:
        """Return the output of `kind` in later steps."""
        found = shutil.which("kind", path=f"{self.path.read_text().strip()}:{self.root / 'own'}")
        assert found
        return Path(found).read_text()

    @property
    def urls(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


RIGHT = hashlib.sha256(KIND.encode()).hexdigest()
WRONG = "0" * 64


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


def test_action_configured_kind_overrides_runner_kind(runner):
    assert runner.install(sha256=RIGHT) == 0
    assert runner.kind == KIND
    assert runner.urls == ["https://kind.sigs.k8s.io/dl/v9.9.9/kind-linux-amd64"]


@pytest.mark.parametrize(
    "given", [{"sha256": WRONG}, {"published": WRONG}, {"published": "<html>"}, {"version": "v0.33.0"}]
)
def test_action_kind_with_wrong_checksum_is_not_installed(runner, given):
    assert runner.install(**given) != 0
    assert runner.path.read_text() == ""
    assert runner.kind != KIND


def test_action_kind_without_given_checksum_uses_published_one(runner):
    assert runner.install(published=RIGHT) == 0
    assert runner.kind == KIND
    assert runner.urls[1:] == ["https://kind.sigs.k8s.io/dl/v9.9.9/kind-linux-amd64.sha256sum"]


def test_action_has_checksum_of_default_kind_per_architecture():
    default = read(ACTION)["inputs"]["kind-version"]["default"]
    for arch in ("amd64", "arm64"):
        assert re.search(rf'"{re.escape(default)} {arch}"\) SHA256=[0-9a-f]{{64}} ;;', step("Install kind"))


def test_action_empty_version_uses_runner_kind(runner):
    assert runner.install(version="") == 0
    assert runner.urls == []
    assert "the runner's own" in runner.kind


def test_action_installs_packages_by_digest(tmp_path):
    environ = {**os.environ, "SOURCE": str(ROOT), "RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path")}
    script = step("Install seatrial")
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert subprocess.run(
        [tmp_path / "seatrial" / "bin" / "seatrial", "--version"], capture_output=True, check=True
    ).stdout
    frozen = [str(tmp_path / "seatrial" / "bin" / "python"), "-m", "pip", "list", "--format=freeze"]
    installed = subprocess.run(frozen, capture_output=True, text=True, check=True).stdout.lower().split()
    locked = set(re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / "locks" / "action.txt").read_text().lower(), re.MULTILINE))
    # The venv module of Debian and older Python versions installs setuptools.
    unlocked = {each.replace("_", "-") for each in installed} - {each.replace("_", "-") for each in locked}
    assert {each.partition("==")[0] for each in unlocked} <= {"seatrial", "setuptools"}


def test_action_lock_has_requirements_of_seatrial():
    project = tomllib.loads((ROOT / "seatrial" / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"], "pip"]
    locked = (ROOT / "locks" / "action.txt").read_text()
    missing = [
        name for each in needed if not re.search(rf"^{(name := re.split('[<>=]', each)[0])}==", locked, re.MULTILINE)
    ]
    assert missing == []


def test_gitlab_fork_pipeline_needs_approval():
    job = read(GITLAB)["k8s-tests"]
    first, second = job["rules"][:2]

    assert job["tags"] == ["docker-host"]
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_PROJECT_ID" in first["if"]
    assert first["when"] == "manual"
    assert second["if"] == '$CI_PIPELINE_SOURCE == "merge_request_event"'
    for page in (GITLAB, ROOT / "seatrial" / "docs" / "how-to" / "in-ci.md"):
        text = " ".join(page.read_text().replace("#", " ").replace(">", " ").split()).lower()
        assert "warning" in text
        assert "from a fork brings its own" in text


def test_workflow_runs_check_per_change_and_slow_checks_nightly():
    workflow = read(CHECK)
    commands = {
        name: [step.get("run") for step in job["steps"] if "run" in step] for name, job in workflow["jobs"].items()
    }

    assert {"pull_request", "push", "schedule"} <= set(workflow["on"])
    assert commands == {"check": ["make check"], "nightly": ["make ${{ matrix.target }}"]}
    nightly = workflow["jobs"]["nightly"]
    assert nightly["strategy"]["matrix"] == {"target": ["check-more", "check-parity", "check-blame", "test-all"]}
    assert "if" not in workflow["jobs"]["check"]
    assert nightly["if"] == "github.event_name == 'schedule'"
