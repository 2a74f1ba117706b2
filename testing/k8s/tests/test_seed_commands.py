"""The seed's commands typed by hand, in its order: cluster, image, chart, tests, debugging, deletion.

Each test types the seed's line as it stands. What it needs beyond that stands beside it, with the reason. They follow
each other on one cluster, which they create and delete.
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

# The chart's own images: nodes of a plain kind cluster can pull them from nowhere if no registry answers.
VALUES = ".foundry/values-images.yaml"


class Terminal:
    """Types command lines in the project's directory, with the tools of `make setup` and a kubeconfig of its own."""

    def __init__(self, project: Path, kubeconfig: Path) -> None:
        self.project = project
        self.env = os.environ | {"KUBECONFIG": str(kubeconfig)}

    def argv(self, line: str) -> list[str]:
        """Return what types a line."""
        return ["bash", "-o", "pipefail", "-c", f'eval "$(.venv/bin/foundry env)"\n{line}']

    def __call__(self, line: str, *, seconds: float = 300.0) -> str:
        """Type a line; return what it prints on stdout and stderr."""
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
        """Type a line of a command that wants a terminal (`-it`); return what the terminal shows."""
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
            except OSError:  # nobody holds the terminal any more
                break
            shown += data
        os.close(master)
        text = shown.decode(errors="replace")
        assert process.wait() == 0, f"{line}\n{text}"
        return text

    @contextmanager
    def beside(self, line: str, *, until: str) -> Iterator[None]:
        """Type a line that does not end; the block runs once it has printed a text, and then it is ended."""
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
    """A terminal with a cluster, the image and the chart, made by the seed's own lines."""
    terminal = Terminal(project, tmp_path_factory.mktemp("kube") / "config")
    terminal(CREATE)
    try:
        terminal(BUILD, seconds=600)
        terminal(LOAD)
        for image in chart_images(terminal):
            # The seed loads the tests' image alone, and the chart's pods would wait for theirs for ever.
            terminal(LOAD.replace("floe-test:latest", image))
        terminal(f"{INSTALL} --values {VALUES}")
        # The seed forgets the namespace.
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
    """Return `--overrides` with the variables that the suite reads, as seatrial.toml names them."""
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


def answers(url: str, *, seconds: float = 30.0) -> int:
    """Return the status that a URL answers with; a Service's proxies learn of a pod a moment after its readiness."""
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
    assert answers(f"http://localhost:{port}{path}") == 200


def test_pytest_runs_in_a_pod_of_kubectl_run(typed: Terminal) -> None:
    # A tag `latest` makes the kubelet ask a registry. Without variables the suite has no credentials. Policies know the
    # tests by their label. Tests of namespaces need rights that the default ServiceAccount does not have.
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
    # The seed's pod has ended when pytest has: nothing can be run in it. One that sleeps shows the line.
    typed("kubectl delete pod test-runner -n floe")
    typed(f"{RUN} --image-pull-policy=IfNotPresent -- sleep 300")
    typed("kubectl wait --for=condition=ready pod/test-runner -n floe --timeout=60s")

    shown = typed.interactive("kubectl exec -n floe -it test-runner -- bash -c 'echo shell in $HOSTNAME'")

    assert "shell in test-runner" in shown


def test_kubectl_port_forward_leads_to_the_catalog(typed: Terminal) -> None:
    # On the host 8181 is taken by the port map of the kind configuration.
    line = "kubectl port-forward -n floe svc/polaris 18181:8181"
    with typed.beside(line, until="Forwarding from 127.0.0.1:18181"):
        assert answers("http://localhost:18181/api/catalog/v1/config") == 200


def test_a_debug_pod_asks_the_catalog(typed: Terminal) -> None:
    # `curlimages/curl` is on Docker Hub; where no registry answers, the image of the tests has Python's own client. The
    # real catalog answers 401 on 8181 to anybody without a token, so the health port is asked.
    ask = f"import urllib.request as u; print(u.urlopen('{CATALOG}:8182/q/health/ready').status)"
    line = (
        "kubectl run debug --rm -it --image=floe-test:latest --image-pull-policy=IfNotPresent --restart=Never --"
        f" python3 -c {shlex.quote(ask)}"
    )

    assert "200" in typed.interactive(line)
