"""Test the oldest Helm, build secrets, an added node, and pytest's output from a real pod, in one cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from delivery_project import TOKEN, WORD, delivered
from shop_project import ENVIRONMENT, NAME, PATIENCE, docker

ROOT = Path(__file__).parents[2]
CLUSTER = f"{NAME}-oldest"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    tools = tmp_path_factory.mktemp("tools")
    (tools / "helm").symlink_to(foundry("helm3"))
    extra = {"PATH": f"{tools}{os.pathsep}{ENVIRONMENT['PATH']}"}
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode:
        (tools / "cli-plugins").mkdir()
        (tools / "cli-plugins" / "docker-buildx").symlink_to(foundry("docker-buildx"))
        extra["DOCKER_CONFIG"] = str(tools)
    with delivered(tmp_path_factory, "oldest", extra=extra, secrets=True) as it:
        yield it


def foundry(tool: str) -> str:
    """Return a tool of foundry that `make setup` does not provide."""
    argv = [str(Path(sys.executable).parent / "foundry"), "--artifacts", str(ROOT / "foundry" / "artifacts.toml")]
    if subprocess.run([*argv, "path", tool], capture_output=True, check=False).returncode:
        subprocess.run([*argv, "up", tool], capture_output=True, check=True)
    return subprocess.run([*argv, "path", tool], capture_output=True, text=True, check=True).stdout.strip()


def test_helm_3_18_installs_all_sources(shop):
    assert shop.helm("version", "--short").startswith("v3.18.")

    assert "14 passed" in shop("test").out


def test_image_contains_no_build_secrets(shop):
    (image,) = [each["reference"] for each in shop.result["images"] if "shop-test" in each["reference"]]
    told = docker("image", "inspect", image) + docker("history", "--no-trunc", image)

    assert "sha256sum token word" in told
    assert TOKEN not in told
    assert WORD not in told


def test_helm_3_18_upgrades_changed_chart_version(shop):
    shop.edit("seatrial.toml", 'version = "1.2.3"', 'version = "1.3.0"')
    shop.edit("tests/test_delivery.py", "1.2.3", "1.3.0")

    assert "14 passed" in shop("test").out
    assert shop.stage("install")["facts"]["installed"] == "base"


def test_helm_3_18_recovers_pending_release(shop):
    shop.kill_helm("upgrade", "late", "late", "--set", "seconds=300")

    done = shop("test")

    assert "late was left pending-upgrade" in done.err
    assert "14 passed" in done.out
    assert shop.release("late") == "deployed"


def test_added_node_pulls_images_and_runs_tests(shop):
    added, old = f"{CLUSTER}-worker", f"{CLUSTER}-control-plane"
    add_node(added, like=old)
    shop.kubectl("wait", "--for=condition=Ready", f"node/{added}", "--timeout=120s")
    shop.kubectl("cordon", old)
    shop.kubectl("delete", "pods", "-l", "app=web", "--wait=false")
    shop.edit("pyproject.toml", 'version = "0"', 'version = "0.1"')

    assert "14 passed" in shop("test").out
    pods = json.loads(shop.kubectl("get", "pods", "-o", "json"))["items"]
    nodes = {pod["metadata"]["name"].split("-")[0]: pod["spec"]["nodeName"] for pod in pods}
    assert (nodes["web"], nodes["test"]) == (added, added)
    assert shop.stage("build")["outcome"] == "done"


def add_node(name: str, *, like: str) -> None:
    """Start a container with the mounts of another node, as kind starts nodes, and join it to the cluster."""
    node = json.loads(docker("container", "inspect", like))[0]
    binds = [word for bind in node["HostConfig"]["Binds"] or () for word in ("--volume", bind)]
    labels = {"io.x-k8s.kind.cluster": CLUSTER, "io.x-k8s.kind.role": "worker"}
    argv = ["--name", name, "--hostname", name, "--network", "kind", "--privileged", "--tty", "--cgroupns=private"]
    argv += [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    argv += ["--security-opt", "seccomp=unconfined", "--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/var"]
    docker("run", "--detach", *argv, *binds, node["Config"]["Image"])
    join = docker("exec", like, "kubeadm", "token", "create", "--print-join-command").split()
    ready = "until systemctl is-active --quiet containerd; do sleep 0.2; done"
    docker("exec", name, "bash", "-c", ready)
    docker("exec", name, *join, "--ignore-preflight-errors=all")


def test_pytest_conformance_in_real_pod(shop):
    suites = ROOT / "seatrial" / "tests"
    env = {
        **shop.env,
        "SEATRIAL_CONFORMANCE": "pod_transport:pod_transport",
        "SEATRIAL_CONFORMANCE_PROJECT": str(shop.root),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    argv = [sys.executable, "-m", "pytest", str(suites / "conformance"), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
