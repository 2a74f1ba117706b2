"""Test `--namespace` in the kind cluster that the lifecycle tests share."""

from __future__ import annotations

import json
import time

import pytest
from shop_project import NAME, containers


@pytest.mark.removes("namespace", "release")
def test_namespaced_environments_share_one_cluster(shop):
    nodes = containers(f"{NAME}-life")
    shop("up", "--namespace", "pr-7")
    assert "8 passed" in shop("test", "--namespace", "pr-7").out
    assert shop.stage("preflight")["facts"]["namespace"] == "pr-7"
    shop("test", "--namespace", "pr-7", "-k", "stock")
    assert shop.stage("install")["outcome"] == "unchanged"

    assert "web" in shop.kubectl("get", "pods", "-n", "pr-7")
    assert json.loads(shop("env", "--json", "--namespace", "pr-7").out)["HELM_NAMESPACE"] == "pr-7"
    assert "environment pr-7" in shop("status", "--namespace", "pr-7").out
    rows = [each for each in json.loads(shop("list", "--json").out) if each["cluster"] == f"{NAME}-life"]
    assert {each["namespace"] for each in rows} == {"", "pr-7"}
    assert "8 passed" in shop("test").out

    shop("down", "--namespace", "pr-7")
    until = time.monotonic() + 60
    while "pr-7" in shop.kubectl("get", "namespaces", "-o", "name") and time.monotonic() < until:
        time.sleep(0.5)
    assert "pr-7" not in shop.kubectl("get", "namespaces", "-o", "name")
    assert containers(f"{NAME}-life") == nodes
    assert "8 passed" in shop("test").out


@pytest.mark.removes("namespace", "release")
def test_clean_removes_environments_of_closed_pull_requests(shop):
    shop("up", "--namespace", "pr-8")
    assert shop("clean", "--keep-prs", "7,8").out == "nothing to remove\n"
    assert shop("clean", "--keep-prs", "7").out == "removed: pr-8\n"
    assert "there is no environment pr-8" in shop("test", "--namespace", "pr-8", code=4).err
