r"""The plain commands that the tool replaces, as the first user's notes have them. Pure: they are made here, not run.

    kind create cluster --name floe-test --config testing/k8s/kind-config.yaml
    docker build -t floe-test:latest .
    kind load docker-image floe-test:latest --name floe-test
    helm install floe-infra charts/floe-infrastructure/ --namespace floe --create-namespace \
      --values testing/k8s/values-test.yaml
    kubectl wait --for=condition=ready pod -l app=polaris --timeout=120s
    kubectl run test-runner --image=floe-test:latest --restart=Never --namespace=floe -- uv run pytest tests/ --cov
    kubectl logs -n floe test-runner
    kind delete cluster --name floe-test

What is added, and why, stands beside each command, and in `NOTES` for who reads the report.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.model.spec import Reference

__all__ = ["NOTES", "PATIENCE", "Plain", "typed"]

Argv = tuple[str, ...]

PATIENCE = 120
"""Seconds of `--timeout`, as in the notes."""

LABEL = "app=test-runner"

NOTES = (
    "other names, and no host ports, so that it can stand beside anything else",
    "kind load: in the same command the chart's images that are on the engine, which nodes could pull from nowhere",
    "helm install: a second values file with the images of this machine",
    "kubectl wait: with the namespace, for all four services, and for the Job that makes the catalog; else tests fail",
    "kubectl run: the environment that the suite reads, and IfNotPresent: of a tag `latest` a kubelet asks a registry",
    "kubectl run: the label by which the chart's network policies know the tests",
    "kubectl run: tests of packages/ too, as the notes say further below, so that both sides run the same",
    "kubectl wait for the pod's success, because kubectl run returns at once",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """One project by plain commands.

    Attributes:
        cluster: kind's name of the cluster.
        image: reference that the tests' image gets.
        namespace: of release and tests.
        pod: that runs the tests.
    """

    cluster: str
    image: str
    namespace: str
    pod: str

    def create(self, config: str) -> Argv:
        """Make the cluster."""
        return ("kind", "create", "cluster", "--name", self.cluster, "--config", config)

    def build(self, args: Mapping[str, str] | None = None) -> Argv:
        """Build the image of the tests."""
        extra = [word for name, value in (args or {}).items() for word in ("--build-arg", f"{name}={value}")]
        return ("docker", "build", "-t", self.image, *extra, ".")

    def load(self, *others: str) -> Argv:
        """Bring it, and what the chart needs, to all nodes."""
        return ("kind", "load", "docker-image", self.image, *others, "--name", self.cluster)

    def install(self, release: str, chart: str, values: Sequence[str]) -> Argv:
        """Install the chart."""
        files = [word for path in values for word in ("--values", path)]
        return ("helm", "install", release, chart, "--namespace", self.namespace, "--create-namespace", *files)

    def pods_ready(self, selector: str) -> Argv:
        """Wait for services."""
        wait = ("kubectl", "wait", "--for=condition=ready", "pod", "-l", selector, f"--timeout={PATIENCE}s")
        return (*wait, f"--namespace={self.namespace}")

    def jobs_complete(self) -> Argv:
        """Wait for what the chart does once."""
        wait = ("kubectl", "wait", "--for=condition=complete", "job", "--all", f"--timeout={PATIENCE}s")
        return (*wait, f"--namespace={self.namespace}")

    def run(self, command: Sequence[str], env: Mapping[str, str | Reference]) -> Argv:
        """Start the tests.

        Args:
            command: what runs them.
            env: variable to its value, or to the Secret that has it.
        """
        variables = [_variable(name, source) for name, source in env.items()]
        overrides = {"spec": {"containers": [{"name": self.pod, "env": variables}]}}
        return (
            *("kubectl", "run", self.pod, f"--image={self.image}", "--restart=Never", f"--namespace={self.namespace}"),
            *(f"--labels={LABEL}", "--image-pull-policy=IfNotPresent"),
            *("--override-type=strategic", f"--overrides={json.dumps(overrides)}"),
            *("--", *command),
        )

    def succeeded(self) -> Argv:
        """Wait for their success; their failure ends nothing."""
        wait = ("kubectl", "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{self.pod}")
        return (*wait, f"--timeout={PATIENCE}s", f"--namespace={self.namespace}")

    def phase(self) -> Argv:
        """Print in which phase their pod is, as the notes' `kubectl get pods` shows it."""
        return ("kubectl", "get", "pods", self.pod, "-n", self.namespace, "--output=jsonpath={.status.phase}")

    def logs(self) -> Argv:
        """Print what they printed."""
        return ("kubectl", "logs", "-n", self.namespace, self.pod)

    def delete_pod(self) -> Argv:
        """Make room for the next pod of that name."""
        return ("kubectl", "delete", "pod", self.pod, "--ignore-not-found", f"--namespace={self.namespace}")

    def delete(self) -> Argv:
        """Remove the cluster."""
        return ("kind", "delete", "cluster", "--name", self.cluster)


def _variable(name: str, source: str | Reference) -> dict[str, object]:
    if isinstance(source, str):
        return {"name": name, "value": source}
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": source.name, "key": source.key}}}


def typed(argv: Argv) -> str:
    """Return a command as a person would type it."""
    return shlex.join(argv)
