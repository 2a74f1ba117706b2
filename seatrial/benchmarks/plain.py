r"""Define the plain commands that seatrial replaces, as in the first user's notes. Pure: it does not run them.

    kind create cluster --name floe-test --config testing/k8s/kind-config.yaml
    docker build -t floe-test:latest .
    kind load docker-image floe-test:latest --name floe-test
    helm install floe-infra charts/floe-infrastructure/ --namespace floe --create-namespace \
      --values testing/k8s/values-test.yaml
    kubectl wait --for=condition=ready pod -l app=polaris --timeout=120s
    kubectl run test-runner --image=floe-test:latest --restart=Never --namespace=floe -- uv run pytest tests/ --cov
    kubectl logs -n floe test-runner
    kind delete cluster --name floe-test

Additions are explained at each command, and in `NOTES` for readers of the report.
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
"""The `--timeout` of the notes, in seconds."""

LABEL = "app=test-runner"

NOTES = (
    "other names, and no host ports, to avoid conflicts with other clusters",
    "kind load: also loads the chart's images that exist only on the engine",
    "helm install: a second values file with the images of this machine",
    "kubectl wait: with the namespace, for all four services, and for the catalog's bootstrap Job, which tests need",
    "kubectl run: the suite's environment, and IfNotPresent, because with the tag `latest` a kubelet asks a registry",
    "kubectl run: the label that the chart's network policies admit",
    "kubectl run: also tests of packages/, as in a later part of the notes, so that both sides run the same tests",
    "kubectl wait for the pod's success, because kubectl run returns immediately",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """The plain commands of one project.

    Attributes:
        cluster: kind's name of the cluster.
        image: reference of the tests' image.
        namespace: namespace of release and tests.
        pod: the pod that runs the tests.
    """

    cluster: str
    image: str
    namespace: str
    pod: str

    def create(self, config: str) -> Argv:
        """Create the cluster."""
        return ("kind", "create", "cluster", "--name", self.cluster, "--config", config)

    def build(self, args: Mapping[str, str] | None = None) -> Argv:
        """Build the tests' image."""
        extra = [word for name, value in (args or {}).items() for word in ("--build-arg", f"{name}={value}")]
        return ("docker", "build", "-t", self.image, *extra, ".")

    def load(self, *others: str) -> Argv:
        """Load it and the chart's images to all nodes."""
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
        """Wait for the chart's Jobs."""
        wait = ("kubectl", "wait", "--for=condition=complete", "job", "--all", f"--timeout={PATIENCE}s")
        return (*wait, f"--namespace={self.namespace}")

    def run(self, command: Sequence[str], env: Mapping[str, str | Reference]) -> Argv:
        """Start the tests.

        Args:
            command: the command that runs them.
            env: variable -> value, or the Secret that contains it.
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
        """Wait for the tests' success. A failure does not end the wait."""
        wait = ("kubectl", "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{self.pod}")
        return (*wait, f"--timeout={PATIENCE}s", f"--namespace={self.namespace}")

    def phase(self) -> Argv:
        """Print the phase of the tests' pod, as `kubectl get pods` in the notes does."""
        return ("kubectl", "get", "pods", self.pod, "-n", self.namespace, "--output=jsonpath={.status.phase}")

    def logs(self) -> Argv:
        """Print the output of the tests."""
        return ("kubectl", "logs", "-n", self.namespace, self.pod)

    def delete_pod(self) -> Argv:
        """Delete the pod, to reuse its name."""
        return ("kubectl", "delete", "pod", self.pod, "--ignore-not-found", f"--namespace={self.namespace}")

    def delete(self) -> Argv:
        """Delete the cluster."""
        return ("kind", "delete", "cluster", "--name", self.cluster)


def _variable(name: str, source: str | Reference) -> dict[str, object]:
    if isinstance(source, str):
        return {"name": name, "value": source}
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": source.name, "key": source.key}}}


def typed(argv: Argv) -> str:
    """Return a command as a user would type it."""
    return shlex.join(argv)
