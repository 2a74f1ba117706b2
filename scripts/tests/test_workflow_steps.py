"""Run the steps of the workflow's job `test-k8s` in a clean copy, as GitHub does. Takes minutes.

The copy's cluster has another name and no host ports, which belong to the developer's own cluster.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = "floe-ci"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Provide the files that actions/checkout would create from the working tree."""
    folder = tmp_path_factory.mktemp("checkout")
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    there = "\0".join(name for name in names.split("\0") if (ROOT / name).is_file())
    archive = subprocess.run(
        ["tar", "--create", "--null", "--files-from=-"], cwd=ROOT, input=there.encode(), check=True, capture_output=True
    )
    subprocess.run(["tar", "--extract"], cwd=folder, input=archive.stdout, check=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def environment(checkout, tmp_path_factory):
    config = (checkout / "testing" / "k8s" / "kind-config.yaml").read_text()
    other = tmp_path_factory.mktemp("kind") / "config.yaml"
    other.write_text(re.sub(r"\n    extraPortMappings:\n(      .*\n)+", "\n", config))
    summary = tmp_path_factory.mktemp("github") / "summary.md"
    summary.write_text("")
    return os.environ | {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "IMAGES": str(checkout / "no-cache-yet.tar"),
        "SEATRIAL_CLUSTER_NAME": CLUSTER,
        "SEATRIAL_CLUSTER_CONFIG": str(other),
    }


def steps():
    text = (ROOT / ".github" / "workflows" / "k8s-tests.yml").read_text()
    return [step for step in yaml.safe_load(text)["jobs"]["test-k8s"]["steps"] if "run" in step]


def run(step, checkout, environment):
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(
        argv, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )


@pytest.mark.parametrize("step", steps(), ids=lambda step: step["name"])
def test_workflow_step_succeeds(step, checkout, environment):
    done = run(step, checkout, environment)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_workflow_writes_job_summary(environment):
    summary = Path(environment["GITHUB_STEP_SUMMARY"]).read_text()

    assert "passed" in summary


def test_workflow_uploaded_files_exist(checkout):
    report = checkout / ".seatrial" / "runs" / "latest" / "junit.xml"

    assert len(list(ET.parse(report).iter("testcase"))) >= 60


def test_workflow_leaves_no_cluster():
    argv = ["docker", "ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}"]

    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == ""
