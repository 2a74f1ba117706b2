"""Test that the archives are reproducible and complete, and that the release workflow publishes them."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import dist

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
REPOSITORY = "https://forge.example/acme/tools"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEATRIAL_REPOSITORY", raising=False)
        return dist.build(tmp_path_factory.mktemp("dist") / "dist")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEATRIAL_REPOSITORY", f"{REPOSITORY}/")
        patch.setenv("SEATRIAL_REVISION", "v1.2.3")
        return dist.build(tmp_path_factory.mktemp("released") / "dist")


def test_build_twice_gives_identical_archives(archives, tmp_path):
    again = dist.build(tmp_path / "dist")

    assert [one.read_bytes() for one in again] == [one.read_bytes() for one in archives]


def test_build_different_results_are_an_error(monkeypatch, tmp_path):
    def build_once(scratch: Path, epoch: str) -> tuple[Path, Path]:
        del epoch
        scratch.mkdir()
        made = scratch / "seatrial.whl", scratch / "seatrial.tar.gz"
        for archive in made:
            archive.write_text(scratch.name)
        return made

    monkeypatch.setattr(dist, "build_once", build_once)

    with pytest.raises(dist.DistError, match=r"two builds of seatrial\.whl differ"):
        dist.build(tmp_path / "dist")


def test_check_contents_accepts_archives(archives):
    dist.check_contents(archives)
    dist.check_metadata(archives, release=False)


def test_check_contents_foreign_file_is_an_error(archives, tmp_path):
    wheel = tmp_path / archives[0].name
    wheel.write_bytes(archives[0].read_bytes())
    with zipfile.ZipFile(wheel, "a") as opened:
        opened.writestr("tests/test_it.py", "")

    with pytest.raises(dist.DistError, match=r"holds tests/test_it\.py"):
        dist.check_contents((wheel, archives[1]))


def test_check_metadata_release_requires_repository(archives):
    with pytest.raises(dist.DistError, match="SEATRIAL_REPOSITORY=https://"):
        dist.check_metadata(archives, release=True)


def test_release_metadata_has_urls_and_absolute_links(released):
    dist.check_metadata(released, release=True)

    wheel, _ = map(dist.metadata_of, released)
    assert f"Source, {REPOSITORY}" in wheel.get_all("Project-URL")
    assert f"]({REPOSITORY}/blob/v1.2.3/seatrial/docs/README.md)" in str(wheel.get_payload())


def test_installation_command_of_readme_works(tmp_path):
    readme = (ROOT / "seatrial" / "README.md").read_text()
    (command,) = re.findall(r"^uv tool install \./seatrial\b", readme, re.MULTILINE)

    env = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    dist.run([dist.UV, *command.split()[1:]], env=env)

    assert dist.run([tmp_path / "bin" / "seatrial", "--version"]).startswith("seatrial")


def test_commands_are_those_before_the_first_run():
    assert dist.commands() == ["seatrial init", "seatrial config lint"]


# -- the workflow ------------------------------------------------------------------------------------------------------


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    return found


def test_release_workflow_passes_actionlint():
    foundry = Path(sys.executable).parent / "foundry"
    subprocess.run([foundry, "up", "actionlint"], capture_output=True, check=True)
    program = subprocess.run([foundry, "path", "actionlint"], capture_output=True, text=True, check=True).stdout.strip()
    shellcheck = Path(sys.executable).parent / "shellcheck"

    argv = [program, "-no-color", f"-shellcheck={shellcheck}", WORKFLOW]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_only_publish_job_has_id_token_and_it_does_not_build():
    build, publish = jobs()["build"], jobs()["publish"]

    assert yaml.safe_load(WORKFLOW.read_text())["permissions"] == {"contents": "read"}
    assert "permissions" not in build
    assert publish["permissions"] == {"contents": "read", "id-token": "write", "attestations": "write"}
    assert publish["environment"] == "pypi"
    assert not [step for step in publish["steps"] if "make" in step.get("run", "")]


def test_release_workflow_uses_no_password():
    assert "secrets." not in WORKFLOW.read_text()
    assert "--trusted-publishing always" in jobs()["publish"]["steps"][-1]["run"]


def test_release_workflow_wrong_tag_fails(tmp_path):
    (step,) = (step for step in jobs()["build"]["steps"] if "tag" in step.get("name", ""))
    (tmp_path / "seatrial").mkdir()
    (tmp_path / "seatrial" / "pyproject.toml").write_text('[project]\nname = "seatrial"\nversion = "1.20.0"\n')

    def exit_code(tag: str) -> int:
        env = {"GITHUB_REF_NAME": tag, "PATH": "/usr/bin:/bin"}
        return subprocess.run(["bash", "-c", step["run"]], cwd=tmp_path, env=env, check=False).returncode

    assert [exit_code(tag) for tag in ("v1.20.0", "v1.2", "v1x20.0")] == [0, 1, 1]
