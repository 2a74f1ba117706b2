"""Test on a real cluster that a run directory tells what happened while tests ran, with the logs of deleted pods."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from seatrial.model.timeline import (
    ContainerRecord,
    EndpointsRecord,
    EventRecord,
    GapRecord,
    LogRecord,
    PodRecord,
    RecordingRecord,
    decode_timeline,
)
from seatrial.model.timeline_index import TimelineIndex
from shop_project import NAME, PATIENCE, containers, copy

SUITE = '''
import json, os, ssl, time, urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"

def call(method, path, body=None):
    request = urllib.request.Request(
        API + path, method=method, data=body and json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": "application/json"},
    )
    trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    with urllib.request.urlopen(request, context=trusted, timeout=10) as answer:
        return json.load(answer)

def test_deletion():
    """Ask the service until its pod is deleted and another one answers."""
    answered, deadline = [], time.monotonic() + 120
    deleted = Path("/tmp/deleted")
    deleted.unlink(missing_ok=True)
    for number in range(2000):
        try:
            with urllib.request.urlopen(f"http://web:8080/stock?number={number}.", timeout=2):
                answered.append(number)
        except OSError:
            pass
        if deleted.exists() and answered[-1:] == [number]:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    print("answered", *answered)

SCRIPT = """
for number in range(1, 2001):
    print(f"line {number}.", flush=True)
import time
time.sleep(600)
"""

def test_own_pod(isolated_namespace):
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    container = {"name": "counter", "image": os.environ["COUNTER_IMAGE"], "command": ["python3", "-c", SCRIPT],
                 "resources": resources}
    pods = f"/api/v1/namespaces/{isolated_namespace}/pods"
    deadline = time.monotonic() + 60
    while True:
        try:
            call("POST", pods, {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "counter"},
                                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}})
            break
        except urllib.error.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    while call("GET", f"{pods}/counter")["status"]["phase"] != "Running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    raise AssertionError("planned")
'''

WITHOUT_RECORDER = """
from seatrial.stages.context import Ctx
Ctx.record_cluster = lambda self: None
from seatrial.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = copy(tmp_path_factory, "recorder")
    shop.edit("seatrial.toml", "[runner]\n", "[runner]\nisolated-namespaces = true\n")
    config = shop.root / "seatrial.toml"
    config.write_text(config.read_text() + '\n[runner.env]\nCOUNTER_IMAGE = "foundry.invalid/python:3.13"\n')
    kind = (shop.root / "kind.yaml").read_text()
    (shop.root / "kind.yaml").write_text(kind[: kind.index("  - role: worker")])
    (shop.root / "tests" / "test_recorded.py").write_text(SUITE)
    shop("up")
    yield shop
    shop("down")
    assert containers(f"{NAME}-recorder") == []


def run_directory(shop):
    return (shop.root / ".seatrial" / "runs" / "latest").resolve()


def timeline(directory: Path) -> TimelineIndex:
    return TimelineIndex(decode_timeline((directory / "timeline.jsonl").read_bytes()))


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run_with_deletion(shop, *python) -> tuple[str, str]:
    """Run the test while its service is deleted; return its output and the name of the deleted pod."""
    (pod,) = shop.kubectl("get", "pods", "-n", "shop", "-l", "app=web", "-o", "name").split()
    before = run_directory(shop)
    argv = [sys.executable, *(python or ("-m", "seatrial")), "-C", str(shop.root), "test", "-k", "deletion", "-rP"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, env=shop.env, cwd=shop.root, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    until(lambda: run_directory(shop) != before)
    events = run_directory(shop) / "events.jsonl"
    until(lambda: events.exists() and b"TestStarted" in events.read_bytes())
    time.sleep(1)
    shop.kubectl("delete", "-n", "shop", "--now", pod)
    shop.kubectl("exec", "-n", "shop", "test-runner", "-c", "tests", "--", "touch", "/tmp/deleted")
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out
    return out, pod.removeprefix("pod/")


def check_deletion(directory: Path, out: str, pod: str) -> None:
    """Check that the run directory has the whole log of a pod that was deleted, and its deletion."""
    found = timeline(directory)
    histories = [each for each in found.of(PodRecord) if each.name == pod]
    assert histories[-1].seen == "deleted"
    assert any(each.deletion for each in histories)
    (record,) = [each for each in found.of(LogRecord) if each.pod == pod and each.state == "ended"]
    log = (directory / record.file).read_text()
    later = [each.file for each in found.of(LogRecord) if each.pod.startswith("web-") and each.pod != pod]
    newer = "".join((directory / file).read_text() for file in sorted(set(later)))
    answered = re.search(r"answered ([\d ]+)", out)[1].split()
    served = re.findall(r"number=(\d+)\.", log)
    assert len(served) > 5
    assert set(answered) <= {*served, *re.findall(r"number=(\d+)\.", newer)}


def test_pod_deleted_during_a_test_leaves_its_log_and_its_deletion(shop):
    out, pod = run_with_deletion(shop)

    directory = run_directory(shop)
    check_deletion(directory, out, pod)
    found = timeline(directory)
    states = [each.state for each in found.of(ContainerRecord) if each.pod == pod]
    assert states[0] == "running"
    assert {"Killing", "Scheduled", "Started"} <= {each.reason for each in found.of(EventRecord)}
    slices = [each for each in found.of(EndpointsRecord) if each.service == "web"]
    assert [endpoint.pod for endpoint in slices[0].ready] == [pod]
    assert pod not in {endpoint.pod for endpoint in slices[-1].ready}
    assert found.of(GapRecord) == []
    assert [each.state for each in found.of(RecordingRecord)] == ["started", "ended"]


def test_isolated_namespace_of_a_failed_test_leaves_the_log_of_its_pod(shop):
    shop("test", "-k", "own_pod", code=1)

    directory = run_directory(shop)
    found = timeline(directory)
    (pod,) = {each.uid: each for each in found.of(PodRecord) if each.name == "counter"}.values()
    assert pod.namespace.startswith("test-recorded-own-pod-")
    until(lambda: pod.namespace not in shop.kubectl("get", "namespaces", "-o", "name"))
    assert next(each.seen for each in found.of(PodRecord) if each.uid == pod.uid) == "added"
    log = next(each for each in reversed(found.of(LogRecord)) if each.uid == pod.uid)
    numbers = re.findall(r"line (\d+)\.", (directory / log.file).read_text())
    assert numbers == [str(number) for number in range(1, 2001)]
    check_report(shop, directory, source=f"{pod.namespace}/counter/counter")


def check_report(shop, directory: Path, *, source: str) -> None:
    """Check that page, brief and Markdown of the run show its failure, and the page the log of the test's own pod."""
    nodeid, line = "tests/test_recorded.py::test_own_pod", 1 + SUITE[: SUITE.index("raise Assert")].count("\n")
    page = (directory / "report.html").read_text()
    for text in ("tests failed", nodeid, "AssertionError: planned", source, "line 1.", "line 2000."):
        assert text in page
    brief = shop("report", "--format", "brief").out.splitlines()
    assert brief[0] == "verdict: tests failed (exit code 1): 1 failed"
    assert f"FAILED {nodeid}" in brief
    assert f"  at tests/test_recorded.py:{line} in call: AssertionError: planned" in brief
    assert f"reproduce: seatrial -C {shop.root} test {nodeid}" in brief
    markdown = shop("report", "--format", "markdown").out.splitlines()
    assert markdown[0].startswith("### ❌ tests failed: 1 failed, in ")
    assert any(row.startswith(f"| `{nodeid}` | `tests/test_recorded.py:{line}` | ") for row in markdown)


def test_check_of_the_deletion_fails_without_the_recorder(shop):
    out, pod = run_with_deletion(shop, "-c", WITHOUT_RECORDER)

    with pytest.raises(FileNotFoundError):
        check_deletion(run_directory(shop), out, pod)
