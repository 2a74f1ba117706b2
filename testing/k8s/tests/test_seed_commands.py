"""Test the seed's commands as typed by hand: cluster, image, chart, tests, debugging, deletion.

Each test runs the seed's command verbatim. Additional commands and options are explained in comments. The tests run in
order on one cluster, which they create and delete.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

CREATE = "kind create cluster --name floe-test --config testing/k8s/kind-config.yaml"
BUILD = "docker build -t floe-test:latest ."
LOAD = "kind load docker-image floe-test:latest --name floe-test"
INSTALL = (
    "helm install floe-infra charts/floe-infrastructure/ --namespace floe --create-namespace"
    " --values testing/k8s/values-test.yaml"
)
WAIT = "kubectl wait --for=condition=ready pod -l app=polaris --timeout=120s"
RUN = "kubectl run test-runner --image=floe-test:latest --restart=Never --namespace=floe"
PYTEST = "uv run pytest tests/ --cov"
DELETE = "kind delete cluster --name floe-test"
CATALOG = "http://polaris.floe.svc.cluster.local"

# The chart's own images: without a registry, nodes of a plain kind cluster cannot pull them.
VALUES = ".foundry/values-images.yaml"


class Terminal:
    """Run command lines in the project's directory, with the tools of `make setup` and a separate kubeconfig."""

    def __init__(self, project: Path, kubeconfig: Path) -> None:
        self.project = project
        self.env = os.environ | {"KUBECONFIG": str(kubeconfig)}

    def argv(self, line: str) -> list[str]:
        """Return the arguments that run a command line."""
        return ["bash", "-o", "pipefail", "-c", f'eval "$(.venv/bin/foundry env)"\n{line}']

    def __call__(self, line: str, *, seconds: float = 300.0) -> str:
        """Run a command line; return its stdout and stderr."""
        done = subprocess.run(
            self.argv(line),
            cwd=self.project,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        return done.stdout

    def interactive(self, line: str, *, seconds: float = 60.0) -> str:
        """Run a command line that needs a terminal (`-it`); return the terminal's output."""
        master, replica = pty.openpty()
        argv = ["timeout", f"{seconds:g}", *self.argv(line)]
        process = subprocess.Popen(
            argv, cwd=self.project, env=self.env, stdin=replica, stdout=replica, stderr=replica, start_new_session=True
        )
        os.close(replica)
        shown = b""
        while True:
            try:
                data = os.read(master, 1 << 16)
            except OSError:  # no process holds the terminal any more
                break
            shown += data
        os.close(master)
        text = shown.decode(errors="replace")
        assert process.wait() == 0, f"{line}\n{text}"
        return text

    @contextmanager
    def in_background(self, line: str, *, until: str) -> Iterator[None]:
        """Run a command line in the background; enter the block once it has printed a text, and stop it at the end."""
        process = subprocess.Popen(
            self.argv(f"exec {line}"),
            cwd=self.project,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            said = ""
            while until not in said:
                heard = process.stdout.readline()
                assert heard, f"{line}\n{said}"
                said += heard
            yield
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture(scope="module")
def typed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Provide a terminal after the seed's commands for cluster, image and chart."""
    terminal = Terminal(project, tmp_path_factory.mktemp("kube") / "config")
    terminal(CREATE)
    try:
        terminal(BUILD, seconds=600)
        terminal(LOAD)
        for image in chart_images(terminal):
            # The seed loads only the tests' image, and the chart's pods would wait for theirs forever.
            terminal(LOAD.replace("floe-test:latest", image))
        terminal(f"{INSTALL} --values {VALUES}")
        # The seed omits the namespace.
        terminal(f"{WAIT} -n floe")
        terminal("kubectl wait -n floe --for=condition=complete job --all --timeout=120s")
        yield terminal
    finally:
        terminal(DELETE)


def chart_images(terminal: Terminal) -> list[str]:
    """Return the images of the chart's pods."""
    rendered = terminal(
        f"helm template floe-infra charts/floe-infrastructure/ --values testing/k8s/values-test.yaml --values {VALUES}"
    )
    return sorted(set(re.findall(r"^\s*(?:- )?image:\s*[\"']?([^\s\"']+)", rendered, re.MULTILINE)))


def environment(project: Path) -> str:
    """Return `--overrides` with the suite's environment variables from seatrial.toml."""
    references = tomllib.loads((project / "seatrial.toml").read_text())["runner"]["env-from"]
    variables = []
    for name, reference in references.items():
        if reference.startswith("secret/"):
            _, secret, key = reference.split("/")
            variables.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    container = {"name": "test-runner", "env": variables}
    return shlex.quote(json.dumps({"spec": {"containers": [container]}}))


def phase(terminal: Terminal) -> str:
    return terminal("kubectl get pod test-runner -n floe -o jsonpath={.status.phase}")


def status_of(url: str, *, seconds: float = 30.0) -> int:
    """Return the HTTP status of a URL. Retries, because a Service's proxies learn of a ready pod with a delay."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def test_nodes_carry_the_label_and_ports_of_the_kind_configuration(typed: Terminal) -> None:
    nodes: dict[str, Any] = json.loads(typed("kubectl get nodes -o json"))
    config = yaml.safe_load((typed.project / "testing" / "k8s" / "kind-config.yaml").read_text())

    assert len(nodes["items"]) == len(config["nodes"]) == 2
    assert [node["metadata"]["labels"].get("ingress-ready") for node in nodes["items"]].count("true") == 1


@pytest.mark.parametrize(
    ("port", "path"),
    [(8181, "/api/catalog/v1/config"), (4566, "/_localstack/health"), (16686, "/api/services")],
    ids=["polaris", "localstack", "jaeger"],
)
def test_services_answer_on_localhost(typed: Terminal, port: int, path: str) -> None:
    assert status_of(f"http://localhost:{port}{path}") == 200


def test_pytest_runs_in_a_pod_of_kubectl_run(typed: Terminal) -> None:
    # With the tag `latest`, the kubelet asks a registry. Without variables the suite has no credentials. Policies
    # select the tests by label. Tests of namespaces need permissions that the default ServiceAccount lacks.
    needs = f"--image-pull-policy=IfNotPresent --override-type=strategic --overrides={environment(typed.project)}"
    typed(f"{RUN} {needs} --labels=app=test-runner -- {PYTEST} --ignore=tests/parity --ignore=tests/seed")
    until = time.monotonic() + 180
    while phase(typed) in ("Pending", "Running"):
        assert time.monotonic() < until, typed("kubectl describe pod -n floe test-runner")
        time.sleep(1)

    logs = typed("kubectl logs -n floe test-runner")
    assert phase(typed) == "Succeeded", logs
    assert re.search(r"=+ \d+ passed", logs), logs


def test_kubectl_get_pods_lists_the_services(typed: Terminal) -> None:
    shown = typed("kubectl get pods -n floe")

    for service in ("polaris", "localstack", "postgresql", "jaeger"):
        assert re.search(rf"^{service}\S*\s+1/1\s+Running", shown, re.MULTILINE), shown


def test_kubectl_logs_shows_the_output_of_pytest(typed: Terminal) -> None:
    typed("kubectl logs -n floe test-runner > test-output.log")

    assert "passed" in typed("kubectl logs -n floe pod/test-runner")
    assert "passed" in (typed.project / "test-output.log").read_text()


def test_kubectl_describe_shows_the_events_of_the_pod(typed: Terminal) -> None:
    assert "test-runner" in typed("kubectl describe pod -n floe test-runner")
    assert "Scheduled" in typed("kubectl describe pod -n floe test-runner | grep -A 10 Events")


def test_kubectl_exec_opens_a_shell_in_a_running_pod(typed: Terminal) -> None:
    # The seed's pod ends with pytest, so no command can run in it. Use a sleeping pod.
    typed("kubectl delete pod test-runner -n floe")
    typed(f"{RUN} --image-pull-policy=IfNotPresent -- sleep 300")
    typed("kubectl wait --for=condition=ready pod/test-runner -n floe --timeout=60s")

    shown = typed.interactive("kubectl exec -n floe -it test-runner -- bash -c 'echo shell in $HOSTNAME'")

    assert "shell in test-runner" in shown


def test_kubectl_port_forward_leads_to_the_catalog(typed: Terminal) -> None:
    # On the host, the kind configuration's port map occupies 8181.
    line = "kubectl port-forward -n floe svc/polaris 18181:8181"
    with typed.in_background(line, until="Forwarding from 127.0.0.1:18181"):
        assert status_of("http://localhost:18181/api/catalog/v1/config") == 200


def test_a_debug_pod_asks_the_catalog(typed: Terminal) -> None:
    # `curlimages/curl` is on Docker Hub. If no registry answers, Python in the tests' image sends the request. The real
    # catalog answers 401 on 8181 without a token, so the request goes to the health port.
    ask = f"import urllib.request as u; print(u.urlopen('{CATALOG}:8182/q/health/ready').status)"
    line = (
        "kubectl run debug --rm -it --image=floe-test:latest --image-pull-policy=IfNotPresent --restart=Never --"
        f" python3 -c {shlex.quote(ask)}"
    )

    assert "200" in typed.interactive(line)
