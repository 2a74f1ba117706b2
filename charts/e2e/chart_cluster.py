"""Provide a real cluster for the chart's tests, with images from its own registry."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NAME = "chart-e2e"
REGISTRY = "chart-e2e-registry"
IMAGES = ROOT / ".foundry" / "values-images.yaml"


def foundry_path() -> str:
    """Return a PATH with foundry's tools first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    foundry = Path(os.environ.get("FOUNDRY_CACHE") or cache / "foundry")
    return f"{foundry / 'bin'}{os.pathsep}{os.environ['PATH']}"


def run(*argv: str, stdin: str | None = None, seconds: float = 120, **environment: str) -> str:
    """Run a program and return its output; an error fails the test."""
    done = subprocess.run(
        argv,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=os.environ | {"PATH": foundry_path()} | environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Cluster:
    """kubectl and helm for this cluster only."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl."""
        return run("kubectl", *arguments, stdin=stdin, seconds=seconds, KUBECONFIG=str(self.kubeconfig))

    def helm(self, *arguments: str, seconds: float = 120) -> str:
        """Run Helm."""
        return run("helm", *arguments, seconds=seconds, KUBECONFIG=str(self.kubeconfig))

    def get(self, *arguments: str) -> Any:
        """Return objects as kubectl's JSON."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def exec(self, namespace: str, workload: str, *command: str) -> str:
        """Run a command in a container."""
        return self.kubectl("exec", "--namespace", namespace, workload, "--", *command)


def node_config() -> str:
    """Return floe's own kind configuration with one node and without host ports.

    The ports belong to the developer's own cluster.
    """
    config = yaml.safe_load((ROOT / "testing" / "k8s" / "kind-config.yaml").read_text())
    config["nodes"] = config["nodes"][:1]
    del config["nodes"][0]["extraPortMappings"]
    return yaml.safe_dump(config)


def foundry_images() -> list[str]:
    """Return the images that foundry maps to the chart's."""
    assert IMAGES.is_file(), f"{IMAGES} is missing; run: make setup"
    found = []

    def walk(values: dict[str, Any]) -> None:
        for key, value in values.items():
            if key == "image":
                found.append(f"{value['repository']}:{value['tag']}")
            elif isinstance(value, dict):
                walk(value)

    walk(yaml.safe_load(IMAGES.read_text()))
    return found


def registry_data() -> Path:
    """Return the folder in which `make test-k8s` keeps pushed images, to reuse their layers."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "floe" / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_leftovers() -> None:
    """Remove leftovers of a killed run of these tests, which have unique names."""
    run("kind", "delete", "cluster", "--name", NAME)
    with contextlib.suppress(AssertionError):
        run("docker", "rm", "--force", "--volumes", REGISTRY)


@contextlib.contextmanager
def created_cluster() -> Iterator[Cluster]:
    """Yield a cluster with a working network, whose node can pull the chart's images."""
    remove_leftovers()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        kubeconfig = Path(folder) / "kubeconfig"
        stack.callback(remove_leftovers)
        create = ["kind", "create", "cluster", "--name", NAME, "--kubeconfig", str(kubeconfig), "--config", "-"]
        run(*create, stdin=node_config(), seconds=400)
        start = ["docker", "run", "--detach", "--name", REGISTRY, "--network", "kind", "--publish", "127.0.0.1::5000"]
        start += ["--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{registry_data()}:/var/lib/registry"]
        run(*start, "foundry.invalid/registry:2")
        address = run("docker", "port", REGISTRY, "5000/tcp").splitlines()[0]
        for image in {*foundry_images(), "foundry.invalid/python:3.13"}:
            there = f"{address}/{image.removeprefix('foundry.invalid/')}"
            run("docker", "tag", image, there)
            run("docker", "push", "--quiet", there, seconds=600)
            run("docker", "rmi", "--no-prune", there)
        mirror = f'[host."http://{REGISTRY}:5000"]\n  capabilities = ["pull", "resolve"]\n'
        hosts = "/etc/containerd/certs.d/foundry.invalid"
        script = f"mkdir -p {hosts} && cat > {hosts}/hosts.toml"
        run("docker", "exec", "--interactive", f"{NAME}-control-plane", "sh", "-c", script, stdin=mirror)
        made = Cluster(kubeconfig)
        # DNS works, and pods can be created.
        made.kubectl("rollout", "status", "--namespace", "kube-system", "deployment/coredns", "--timeout=90s")
        made.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
        yield made
