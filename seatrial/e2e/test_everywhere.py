"""Test one suite in the pod and on the host, with a rollout and isolated namespaces, on a real cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import shop_project
from seatrial.adapters.port_forward.forwarder import KubeForwarder
from seatrial.pytest_plugin.kept_environment import find_kept_environment
from shop_project import PATIENCE, PROJECT

NAME = f"{shop_project.NAME}-everywhere"
ENVIRONMENT = {
    **{name: value for name, value in shop_project.ENVIRONMENT.items() if not name.startswith("PYTEST_")},
    "PYTHONPATH": "src",
}

SUITE = """
import os, socket, urllib.request
import pytest

@pytest.mark.parametrize("name", ["web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local"])
def test_names(name):
    with urllib.request.urlopen(f"http://{name}:8080/stock", timeout=5) as answer:
        assert answer.read() == b"42"

def test_service(service):
    web = service("web")
    assert web.port == 8080
    assert web.location.where == os.environ.get("SEATRIAL_LOCATION", "host")
    with urllib.request.urlopen(web.url + "/stock", timeout=5) as answer:
        assert answer.read() == b"42"

def test_absent(service):
    service("gone")

def test_variables():
    assert os.environ["SHOP_PASSWORD"] == "sesame"

@pytest.mark.isolated_namespace(secrets=["shop"], default_deny=True)
def test_namespace(isolated_namespace):
    assert isolated_namespace.startswith("test-everywhere-namespace-")

class TestShared:
    def test_one(self, isolated_namespace_class):
        type(self).seen = isolated_namespace_class

    def test_other(self, isolated_namespace_class, isolated_namespace_worker):
        assert self.seen == isolated_namespace_class != isolated_namespace_worker
"""

INSTALL = """
import os, shutil
import pytest

CHART = os.path.join(os.path.dirname(__file__), "parcel")

def test_install(isolated_namespace):
    wishes = {"replicas": 2, "on": False, "text": "a,b{c}", "ports": [80, 443]}
    if shutil.which("helm") is None:
        with pytest.raises(Exception, match="helm is not on PATH; hint: install it in the image of the tests"):
            isolated_namespace.install(CHART)
        pytest.skip("no helm")
    assert isolated_namespace.install(CHART, set=wishes) == "parcel"
    with pytest.raises(Exception, match="install other .* failed: (?s:.*)replicas"):
        isolated_namespace.install(CHART, release="other", set={**wishes, "replicas": "2"})
"""

PARCEL = {
    "Chart.yaml": "apiVersion: v2\nname: parcel\nversion: 1.0.0\n",
    "values.yaml": "",
    "values.schema.json": json.dumps(
        {
            "required": ["replicas", "on", "text", "ports"],
            "properties": {
                "replicas": {"type": "integer"},
                "on": {"const": False},
                "text": {"const": "a,b{c}"},
                "ports": {"const": [80, 443]},
            },
        }
    ),
    "templates/it.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n",
}

FIFTY = """
import pytest

@pytest.mark.parametrize("number", range(50))
def test_it(number, isolated_namespace):
    assert isolated_namespace
"""


@dataclass(frozen=True)
class Shop:
    root: Path

    def run(self, *argv: str, code: int) -> str:
        done = subprocess.run(
            argv, cwd=self.root, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == code, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def seatrial(self, *argv: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "seatrial", *argv, code=code)

    def in_the_pod(self, *argv: str, code: int = 0) -> str:
        return self.seatrial("test", *argv, code=code)

    def from_the_host(self, *argv: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", *argv, code=code)

    def kubectl(self, *argv: str) -> str:
        it = find_kept_environment(self.root, lambda: None)
        return self.run("kubectl", "--kubeconfig", str(it.kubeconfig), *argv, code=0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    root = tmp_path_factory.mktemp("everywhere") / "shop"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns(".seatrial", "__pycache__", ".coverage"))
    text = (root / "seatrial.toml").read_text().replace("seatrial-e2e", NAME)
    rules = 'rules = [{ apiGroups = [""], resources = ["secrets"], verbs = ["get"] }]'
    text = text.replace("[runner]\n", f"[runner]\nisolated-namespaces = true\n{rules}\n")
    (root / "seatrial.toml").write_text(text)
    kind = (root / "kind.yaml").read_text()
    (root / "kind.yaml").write_text(kind[: kind.index("  - role: worker")])
    for name, suite in {"everywhere": SUITE, "fifty": FIFTY, "install": INSTALL}.items():
        (root / "tests" / f"test_{name}.py").write_text(suite)
    for name, text in PARCEL.items():
        file = root / "tests" / "parcel" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    it = Shop(root)
    it.seatrial("up")
    yield it
    it.seatrial("down")


def outcomes(said: str) -> dict[str, str]:
    return dict(reversed(match.groups()) for match in re.finditer(r"^(PASSED|FAILED|ERROR) (\S+)", said, re.MULTILINE))


def test_suite_has_same_results_in_pod_and_on_host(shop):
    more = ("tests/test_everywhere.py", "-rA", "-q")
    pod = shop.in_the_pod(*more, "--no-cov", code=1)
    host = shop.from_the_host(*more, code=1)
    both = shop.from_the_host(*more, "-n2", "--dist=loadscope", code=1)

    assert len(outcomes(pod)) == 10
    assert outcomes(pod) == outcomes(host) == outcomes(both)
    assert [test for test, outcome in outcomes(pod).items() if outcome != "PASSED"] == [
        "tests/test_everywhere.py::test_absent"
    ]


def test_isolated_namespace_installs_chart(shop):
    assert "1 passed" in shop.from_the_host("tests/test_install.py", "-q")
    assert "1 skipped" in shop.in_the_pod("tests/test_install.py", "-q", "--no-cov")


@pytest.mark.parametrize("where", ["in_the_pod", "from_the_host"])
def test_fifty_isolated_namespaces_have_low_overhead(shop, where):
    more = ("--no-cov",) if where == "in_the_pod" else ()
    said = getattr(shop, where)("tests/test_fifty.py", "-q", "--durations=200", "--durations-min=0", "-vv", *more)
    spent: dict[str, float] = {}
    for seconds, test in re.findall(r"^(\d+\.\d+)s (?:setup|teardown) +(\S+)", said, re.MULTILINE):
        spent[test] = spent.get(test, 0) + float(seconds)
    ended = time.monotonic()

    assert len(spent) == 50
    assert statistics.median(spent.values()) <= 0.3
    while "test-fifty" in shop.kubectl("get", "namespaces"):
        assert time.monotonic() - ended < 60
        time.sleep(1)


def test_rollout_breaks_only_open_connections(shop):
    """1,000 connections, 8 at a time; each broken one was open when its pod was deleted."""
    forwarder = KubeForwarder(find_kept_environment(shop.root, lambda: None).kube(), seed=os.getpid())
    place = forwarder.open("web", "shop")[8080]
    spans: list[tuple[float, float, str]] = []
    enough = threading.Event()
    rollout: list[float] = []

    def connect(_number):
        began, error = time.monotonic(), ""
        try:
            with urllib.request.urlopen(f"http://{place.host}:{place.port}/stock", timeout=20) as answer:
                assert answer.read() == b"42"
        except OSError as caught:
            error = repr(caught)
        spans.append((began, time.monotonic(), error))
        if len(spans) == 200:
            enough.set()
        time.sleep(0.05)

    def roll():
        enough.wait(60)
        rollout.append(time.monotonic())
        shop.kubectl("-n", "shop", "rollout", "restart", "deployment/web")
        shop.kubectl("-n", "shop", "rollout", "status", "deployment/web", "--timeout=120s")
        rollout.append(time.monotonic())

    thread = threading.Thread(target=roll)
    thread.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(connect, range(1000)))
    last = max(end for _, end, _ in spans)
    thread.join()
    forwarder.close()

    broken = [(round(began - rollout[0], 2), error) for began, _, error in spans if error]
    print(json.dumps({"broken": broken, "rollout": rollout[1] - rollout[0], "after": last - rollout[1]}))
    assert len(spans) == 1000
    # One pod is deleted; at most the concurrent connections to it can break.
    assert len(broken) <= 8, broken
    assert not [thread for thread in threading.enumerate() if "seatrial" in thread.name]
