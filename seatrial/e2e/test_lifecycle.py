"""The life of an environment in a real cluster: up, tests, edits of everything, faults, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from seatrial.app.wiring import machine
from shop_project import NAME, PATIENCE, containers, copy, docker


def test_up_says_where_the_time_went(up_result):
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


def test_tests_run_in_the_pod_and_prove_what_ran(shop):
    done = shop("test")

    assert "8 passed" in done.out
    result = shop.result
    assert result["counts"]["passed"] == 8
    assert result["tree"]["host"] == result["tree"]["pod"]
    assert all(image["digest"].startswith("sha256:") for image in result["images"])
    directory = shop.root / ".seatrial" / "runs" / "latest"
    assert (directory / "junit.xml").exists()
    assert (directory / "events.jsonl").exists()
    assert list((directory / "logs" / "pods" / "shop").glob("web-*/web.log"))


def test_nothing_changed_means_nothing_done(shop):
    shop("test", "-k", "stock")

    done = {stage["stage"] for stage in shop.result["stages"] if stage["outcome"] == "done"}
    assert done == {"test", "collect"}


def test_a_changed_test_goes_as_a_delta_and_its_failure_is_a_failure(shop):
    shop.edit("tests/test_shop.py", "== 42", "== 43")
    done = shop("test", "--explain", code=1)

    assert "assert 42 == 43" in done.out
    assert "tests/test_shop.py: changed, sent" in done.err
    assert shop.stage("build")["outcome"] == "unchanged"
    shop.edit("tests/test_shop.py", "== 43", "== 42")
    assert "1 passed" in shop("test", "--lf").out


def test_deleted_and_new_files(shop):
    (shop.root / "tests" / "test_new.py").write_text("def test_new():\n    pass\n")
    assert "9 passed" in shop("test").out
    (shop.root / "tests" / "test_new.py").unlink()
    assert "8 passed" in shop("test").out
    assert shop.stage("test")["facts"]["deleted"] == "1"


def test_files_that_somebody_touched_in_the_pod_are_those_of_the_tree_again(shop):
    shop("test", "-k", "stock")
    touch = "echo 'def test_ghost(): pass' > tests/test_ghost.py; echo >> tests/test_shop.py"
    shop.kubectl("exec", "test-runner", "-c", "tests", "--", "sh", "-c", touch)

    # Much to send, too: what the agent refuses it has to read.
    (shop.root / "tests" / "data.bin").write_bytes(os.urandom(1 << 20))
    assert "8 passed" in shop("test").out
    assert (shop.stage("test")["facts"]["deleted"], shop.stage("test")["facts"]["sent"]) == ("1", "2")
    (shop.root / "tests" / "data.bin").unlink()


def test_a_changed_chart_is_upgraded(shop):
    shop.edit("chart/values.yaml", "stock: 42", "stock: 43")
    shop.edit("tests/test_shop.py", "== 42", "== 43")
    assert "8 passed" in shop("test").out
    assert shop.stage("install")["outcome"] == "done"
    shop.edit("chart/values.yaml", "stock: 43", "stock: 42")
    shop.edit("tests/test_shop.py", "== 43", "== 42")
    assert "8 passed" in shop("test").out


def test_an_edited_object_is_brought_back(shop):
    shop.kubectl("scale", "deployment/web", "--replicas=0")
    assert "8 passed" in shop("test").out
    assert shop.stage("install")["outcome"] == "done"


def test_a_runner_that_ran_out_of_memory_is_made_anew(shop):
    hog = "def test_hog():\n    assert len(bytearray(1 << 32)) == 0\n"
    (shop.root / "tests" / "test_hog.py").write_text(hog)
    shop("--set", "runner.resources.limits.memory=256Mi", "test", "-k", "hog", code=12)
    (shop.root / "tests" / "test_hog.py").unlink()
    assert "8 passed" in shop("test").out


def test_a_lost_registry_is_made_again(shop):
    docker("rm", "--force", machine().registry().container)
    # A version that no earlier run of this test has built an image of.
    shop.edit("pyproject.toml", 'version = "0"', f'version = "0.{time.time_ns()}"')
    assert "8 passed" in shop("test").out
    assert shop.stage("build")["outcome"] == "done", "pyproject.toml rebuilds"


def test_pods_run_what_was_pushed_by_digest(shop):
    runner = json.loads(shop.kubectl("get", "pod", "test-runner", "-o", "json"))

    (image,) = {each["image"] for each in runner["spec"]["containers"]}
    name, _, digest = image.partition("@")
    assert name.startswith("shop-test:")
    assert digest.startswith("sha256:")
    assert {each["imageID"].partition("@")[2] for each in runner["status"]["containerStatuses"]} == {digest}


def test_a_pod_can_neither_read_nor_write_the_registry(shop):
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
    # Its own node pulls from there, with a password that pods do not see.
    hosts = docker("exec", f"{NAME}-life-control-plane", "cat", "/etc/containerd/certs.d/docker.io/hosts.toml")
    assert f"http://{container}:5000/v2/docker.io" in hosts
    assert "authorization" in hosts


def test_looks(shop):
    status = json.loads(shop("status", "--json").out)
    assert {each["name"]: each["ready"] for each in status["workloads"]} == {"web": True, "test-runner": True}
    assert f"{NAME}-life" in shop("list").out
    assert "GET /stock" in shop("logs", "web").out
    assert "web" in shop.kubectl("get", "pods"), "the namespace is that of the tests"


def test_only_one_command_at_a_time(shop):
    first = shop.start("test")
    try:
        until = time.monotonic() + 30
        while "in use" not in shop("list").out and time.monotonic() < until:
            time.sleep(0.1)
        assert "another command works" in shop("test", code=4).err
    finally:
        first.communicate(timeout=PATIENCE)
    assert first.returncode == 0


def test_a_run_whose_command_was_killed_is_taken_over(shop):
    slow = shop.root / "tests" / "test_slow.py"
    slow.write_text("import time\n\ndef test_slow():\n    print('begun', flush=True)\n    time.sleep(300)\n")
    first = shop.start("test", "-s", "-k", "slow")
    try:
        until = time.monotonic() + 30
        while "begun" not in shop("logs", "runner").out and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        first.kill()
        first.communicate()
        slow.unlink()

    assert "8 passed" in shop("test").out


def test_a_wrong_tag_is_named(shop):
    done = shop("--set", 'release.shop.set={ "image.tag" = "nonesuch" }', "up", code=10)

    assert "image foundry.invalid/python:nonesuch cannot be pulled" in done.err
    assert (shop.root / ".seatrial" / "runs" / "latest" / "bundle" / "shop" / "pod.json").exists()
    diagnosed = shop("diagnose", code=10)
    assert "ImagePull" in diagnosed.out


def test_the_way_back_from_a_wrong_tag_is_short(shop):
    shop("up")
    assert shop("diagnose").out.startswith("nothing is wrong")


def test_a_cluster_of_somebody_else_is_left_alone(tmp_path_factory):
    it = copy(tmp_path_factory, "theirs")
    node = f"{NAME}-theirs-control-plane"
    docker("create", "--name", node, "--label", f"io.x-k8s.kind.cluster={NAME}-theirs", "foundry.invalid/node:v1.34.4")
    try:
        assert "seatrial did not make" in it("run", code=4).err
        assert containers(f"{NAME}-theirs") == [node]
    finally:
        docker("rm", "--force", "--volumes", node)


def test_killed_runs_are_reaped(tmp_path_factory):
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
