"""With testing/docker deleted, as the last phase of the migration does, everything but the Compose targets works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from check import BIN, ROOT


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a copy of the repository without testing/docker."""
    root = tmp_path_factory.mktemp("without-compose") / "floe"
    root.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if name and not name.startswith("testing/docker/")]
    present = [name for name in files if (ROOT / name).exists()]
    subprocess.run(["cp", "--parents", "--no-dereference", "-t", str(root), *present], cwd=ROOT, check=True)
    (root / ".venv").symlink_to(ROOT / ".venv")
    # `make setup` writes it.
    (root / ".foundry").mkdir()
    (root / ".foundry" / "values-images.yaml").write_text("{}\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    return root


def run(checkout: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=checkout, capture_output=True, text=True, check=False)


def test_make_help_lists_the_targets(checkout):
    assert "test-k8s" in run(checkout, "make", "help").stdout


def test_check_of_the_tree_passes(checkout):
    done = run(checkout, sys.executable, "scripts/check_tree.py")

    assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_is_valid_for_kubernetes(checkout):
    done = run(checkout, sys.executable, "-m", "seatrial", "config", "lint")

    assert done.returncode == 0, done.stderr


def test_compose_environment_names_the_missing_file(checkout):
    done = run(checkout, sys.executable, "-m", "seatrial", "parity")

    assert done.returncode == 4
    assert "compose.file: testing/docker/docker-compose.yml does not exist" in done.stderr


def test_steps_of_make_check_select_only_existing_folders(checkout):
    code = "import check; print([step.argv for step in check.STEPS if step.name == 'chart'])"
    done = run(checkout / "scripts", sys.executable, "-c", code)

    assert "charts/tests" in done.stdout
    assert "testing/docker" not in done.stdout


def test_tests_of_charts_and_workflows_pass(checkout):
    chart = "charts/tests/test_chart_values.py"
    done = run(checkout, str(BIN / "pytest"), "-q", "-p", "no:seatrial", chart, "scripts/tests/test_workflows.py")

    assert done.returncode == 0, done.stdout
