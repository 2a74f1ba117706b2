"""Test the lifecycle of an environment on a real cluster: creation, tests, edits, failures and removal."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from seatrial.app.wiring import machine
from shop_project import NAME, PATIENCE, containers, copy, docker


def test_up_reports_duration_of_each_stage(up_result):
    assert up_result["exit"] == 0
    assert up_result["kept"] is True
    alone = sum(stage["alone"] for stage in up_result["stages"])
    assert alone == pytest.approx(up_result["seconds"], rel=0.03)
    assert {stage["stage"] for stage in up_result["stages"]} >= {
        "preflight",
        "cluster",
        "build",
        "deliver",
        "install",
        "ready",
    }


def test_result_proves_files_in_pod(shop):
    done = shop("test")

    assert "8 passed" in done.out
    result = shop.result
    assert result["counts"]["passed"] == 8
    assert result["tree"]["host"] == result["tree"]["pod"]
    assert all(image["digest"].startswith("sha256:") for image in result["images"])
    directory = shop.root / ".seatrial" / "runs" / "latest"
    assert (directory / "junit.xml").exists()
    assert (directory / "events.jsonl").exists()
    assert list((directory / "logs" / "pods" / "shop").glob("web-*/web.0.log"))


def test_unchanged_project_skips_all_stages(shop):
    shop("test", "-k", "stock")

    done = {stage["stage"] for stage in shop.result["stages"] if stage["outcome"] == "done"}
    assert done == {"test", "collect"}


def test_changed_test_is_synced_and_its_failure_reported(shop):
    shop.edit("tests/test_shop.py", "== 42", "== 43")
    done = shop("test", "--explain", code=1)

    assert "assert 42 == 43" in done.out
    assert "tests/test_shop.py: changed, sent" in done.err
    assert shop.stage("build")["outcome"] == "unchanged"
    shop.edit("tests/test_shop.py", "== 43", "== 42")
    assert "1 passed" in shop("test", "--lf").out


def test_deleted_and_new_files_are_synced(shop):
    (shop.root / "tests" / "test_new.py").write_text("def test_new():\n    pass\n")
    assert "9 passed" in shop("test").out
    (shop.root / "tests" / "test_new.py").unlink()
    assert "8 passed" in shop("test").out
    assert shop.stage("test")["facts"]["deleted"] == "1"


def test_files_changed_in_pod_are_restored(shop):
    shop("test", "-k", "stock")
    touch = "echo 'def test_ghost(): pass' > tests/test_ghost.py; echo >> tests/test_shop.py"
    shop.kubectl("exec", "test-runner", "-c", "tests", "--", "sh", "-c", touch)

    # A large input, which the agent has to read even if it refuses it.
    (shop.root / "tests" / "data.bin").write_bytes(os.urandom(1 << 20))
    assert "8 passed" in shop("test").out
    assert (shop.stage("test")["facts"]["deleted"], shop.stage("test")["facts"]["sent"]) == ("1", "2")
    (shop.root / "tests" / "data.bin").unlink()


def test_changed_chart_is_upgraded(shop):
    shop.edit("chart/values.yaml", "stock: 42", "stock: 43")
    shop.edit("tests/test_shop.py", "== 42", "== 43")
    assert "8 passed" in shop("test").out
    assert shop.stage("install")["outcome"] == "done"
    shop.edit("chart/values.yaml", "stock: 43", "stock: 42")
    shop.edit("tests/test_shop.py", "== 43", "== 42")
    assert "8 passed" in shop("test").out


def test_edited_object_is_reverted(shop):
    shop.kubectl("scale", "deployment/web", "--replicas=0")
    assert "8 passed" in shop("test").out
    assert shop.stage("install")["outcome"] == "done"


def test_oom_killed_runner_is_recreated(shop):
    hog = "def test_hog():\n    assert len(bytearray(1 << 32)) == 0\n"
    (shop.root / "tests" / "test_hog.py").write_text(hog)
    shop("--set", "runner.resources.limits.memory=256Mi", "test", "-k", "hog", code=12)
    (shop.root / "tests" / "test_hog.py").unlink()
    assert "8 passed" in shop("test").out


def test_deleted_registry_is_recreated(shop):
    docker("rm", "--force", machine().registry().container)
    # A new version, for which no earlier run of this test has built an image.
    shop.edit("pyproject.toml", 'version = "0"', f'version = "0.{time.time_ns()}"')
    assert "8 passed" in shop("test").out
    assert shop.stage("build")["outcome"] == "done", "pyproject.toml rebuilds"


def test_pods_run_pushed_images_by_digest(shop):
    runner = json.loads(shop.kubectl("get", "pod", "test-runner", "-o", "json"))

    (image,) = {each["image"] for each in runner["spec"]["containers"]}
    name, _, digest = image.partition("@")
    assert name.startswith("shop-test:")
    assert digest.startswith("sha256:")
    assert {each["imageID"].partition("@")[2] for each in runner["status"]["containerStatuses"]} == {digest}


def test_pod_cannot_access_registry(shop):
    ask = """
import http.client, sys
place = "/v2/docker.io/library/shop-test"
for method, path in (("GET", "/v2/"), ("GET", "/v2/_catalog"), ("POST", f"{place}/blobs/uploads/"),
                     ("PUT", f"{place}/manifests/1"), ("DELETE", f"{place}/manifests/sha256:{'0' * 64}")):
    connection = http.client.HTTPConnection(sys.argv[1], 5000, timeout=10)
    connection.request(method, path)
    print(connection.getresponse().status)
"""
    container = machine().registry().container
    found = json.loads(docker("container", "inspect", container))[0]["NetworkSettings"]["Networks"]["kind"]["IPAddress"]
    said = shop.kubectl("exec", "test-runner", "-c", "tests", "--", "python3", "-c", ask, found)
    assert said.split() == ["401"] * 5
    # Its own node pulls from the registry, with a password that pods cannot read.
    hosts = docker("exec", f"{NAME}-life-control-plane", "cat", "/etc/containerd/certs.d/docker.io/hosts.toml")
    assert f"http://{container}:5000/v2/docker.io" in hosts
    assert "authorization" in hosts


def test_read_only_commands(shop):
    status = json.loads(shop("status", "--json").out)
    assert {each["name"]: each["ready"] for each in status["workloads"]} == {"web": True, "test-runner": True}
    assert f"{NAME}-life" in shop("list").out
    assert "GET /stock" in shop("logs", "web").out
    assert "web" in shop.kubectl("get", "pods"), "the namespace is that of the tests"


@pytest.fixture
def slow_test(shop):
    """Add a test that never ends by itself."""
    path = shop.root / "tests" / "test_slow.py"
    path.write_text("import time\n\ndef test_slow():\n    print('begun', flush=True)\n    time.sleep(300)\n")
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.usefixtures("slow_test")
def test_second_command_is_refused(shop):
    first = shop.start("test", "-k", "slow")
    try:
        until = time.monotonic() + 30
        while "in use" not in shop("list").out and time.monotonic() < until:
            time.sleep(0.1)
        assert "is in use by another command" in shop("test", code=4).err
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=PATIENCE)
    assert first.returncode == 130


def test_run_of_killed_command_is_taken_over(shop, slow_test):
    first = shop.start("test", "-s", "-k", "slow")
    try:
        until = time.monotonic() + 30
        while "begun" not in shop("logs", "runner").out and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        first.kill()
        first.communicate()
    slow_test.unlink()

    assert "8 passed" in shop("test").out


def test_missing_image_tag_is_named(shop):
    done = shop("--set", 'release.shop.set={ "image.tag" = "nonesuch" }', "up", code=10)

    assert "image foundry.invalid/python:nonesuch cannot be pulled" in done.err
    assert (shop.root / ".seatrial" / "runs" / "latest" / "bundle" / "shop" / "pod.json").exists()
    diagnosed = shop("diagnose", code=10)
    assert "cannot be pulled" in diagnosed.out


def test_corrected_image_tag_recovers_quickly(shop):
    shop("up")
    assert shop("diagnose").out.startswith("no problems found")


def test_foreign_cluster_is_untouched(tmp_path_factory):
    it = copy(tmp_path_factory, "theirs")
    node = f"{NAME}-theirs-control-plane"
    docker("create", "--name", node, "--label", f"io.x-k8s.kind.cluster={NAME}-theirs", "foundry.invalid/node:v1.34.4")
    try:
        assert "was not created by seatrial" in it("run", code=4).err
        assert containers(f"{NAME}-theirs") == [node]
    finally:
        docker("rm", "--force", "--volumes", node)


@pytest.mark.removes("cluster", "container")
def test_killed_runs_are_cleaned_up(tmp_path_factory):
    it = copy(tmp_path_factory, "killed")
    run = it.start("run")
    until = time.monotonic() + 120
    while not containers(f"{NAME}-killed") and time.monotonic() < until:
        time.sleep(0.1)
    run.kill()
    run.communicate()
    assert containers(f"{NAME}-killed")

    assert f"{NAME}-killed" in it("clean").out
    assert containers(f"{NAME}-killed") == []


@pytest.mark.removes("cluster", "container")
def test_ctrl_c_leaves_nothing(tmp_path_factory):
    it = copy(tmp_path_factory, "interrupted")
    run = it.start("run")
    until = time.monotonic() + 120
    while not containers(f"{NAME}-interrupted") and time.monotonic() < until:
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=PATIENCE)

    assert run.returncode == 130, err
    assert containers(f"{NAME}-interrupted") == []
    assert f"{NAME}-interrupted" not in it("list").out
    assert it.result["exit"] == 2
