"""Provide a cluster and a registry that seatrial did not create: kind's documented local registry."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shop_project import ENVIRONMENT, Shop, docker

__all__ = ["Company", "found", "give_up"]

CLUSTER = "seatrial-e2e-company"
REGISTRY = "seatrial-e2e-company-registry"
CONTEXT = f"kind-{CLUSTER}"
NODE = f"{CLUSTER}-control-plane"


@dataclass(frozen=True)
class Company:
    """A shared cluster and registry: a kubeconfig with several contexts, and a registry."""

    kubeconfig: Path
    registry: str

    def kubectl(self, *argv: str) -> str:
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), "--context", CONTEXT, *argv]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout

    def get(self, *argv: str) -> dict:
        return json.loads(self.kubectl("get", *argv, "-o", "json"))

    def names(self, *argv: str) -> list[str]:
        return [each["metadata"]["name"] for each in self.get(*argv)["items"]]

    def configure(self, shop: Shop) -> None:
        """Configure a project to use the cluster and the registry."""
        path = shop.root / "seatrial.toml"
        _, _, rest = path.read_text().partition("[[image]]")
        cluster = (
            'project = "shop-801a411f"\n\n'
            f'[cluster]\nprovider = "existing"\ncontext = "{CONTEXT}"\nkubeconfig = "{self.kubeconfig}"\n'
            f'registry = "{self.registry}/team"\n\n[[image]]'
        )
        rest = rest.replace('chart = "chart"\n', f'chart = "chart"\nset = {{ "image.repository" = "{self.python}" }}\n')
        path.write_text(cluster + rest)

    @property
    def python(self) -> str:
        """The mirrored base image."""
        return f"{self.registry}/mirror/python"


def found(directory: Path) -> Company:
    """Create the cluster and the registry."""
    kubeconfig = directory / "kubeconfig"
    argv = ["kind", "create", "cluster", "--name", CLUSTER, "--image", "foundry.invalid/node:v1.34.4"]
    subprocess.run(
        [*argv, "--kubeconfig", str(kubeconfig), "--wait", "120s"], env=ENVIRONMENT, check=True, capture_output=True
    )
    published = ("--publish", "127.0.0.1::5000")
    docker("run", "--detach", "--name", REGISTRY, "--network", "kind", *published, "foundry.invalid/registry:2")
    port = docker("port", REGISTRY, "5000/tcp").strip().rpartition(":")[2]
    registry = f"localhost:{port}"
    hosts = f'[host."http://{REGISTRY}:5000"]\n'
    place = f"/etc/containerd/certs.d/{registry}"
    docker("exec", NODE, "sh", "-c", f"mkdir -p '{place}' && printf '%s' '{hosts}' > '{place}/hosts.toml'")
    company = Company(kubeconfig, registry)
    docker("tag", "foundry.invalid/python:3.13", f"{company.python}:3.13")
    docker("push", "--quiet", f"{company.python}:3.13")
    docker("rmi", f"{company.python}:3.13")
    # The current context is another one, which the configuration does not allow.
    kubectl = ["kubectl", "--kubeconfig", str(kubeconfig), "config"]
    for argv in (
        ("set-cluster", "production", "--server=https://127.0.0.1:1"),
        ("set-context", "production", "--cluster=production"),
        ("use-context", "production"),
    ):
        subprocess.run([*kubectl, *argv], env=ENVIRONMENT, check=True, capture_output=True)
    return company


def give_up() -> None:
    """Remove the cluster and the registry."""
    for name in (NODE, REGISTRY):
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)
