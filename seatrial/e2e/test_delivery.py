"""Test charts, images and Secrets from all supported sources, in one kept cluster."""

from __future__ import annotations

import json
import re
import time

import pytest
from delivery_project import delivered, until
from shop_project import NAME, PATIENCE, docker


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with delivered(tmp_path_factory, "delivery", extra={}, secrets=False) as it:
        yield it


def containers_named(name: str) -> str:
    return docker("ps", "--quiet", "--filter", f"name=^{name}$")


def test_release_has_charts_and_objects_of_all_sources(shop):
    assert "12 passed" in shop("test").out
    releases = json.loads(shop.helm("list", "--output", "json"))
    assert {each["name"]: each["status"] for each in releases} == dict.fromkeys(
        ("shop", "base", "second", "late"), "deployed"
    )
    shop("test", "-k", "oci")
    assert shop.stage("install")["outcome"] == "unchanged"


def test_pull_secret_allows_private_image(shop):
    pod = json.loads(shop.kubectl("get", "pods", "-l", "app=base", "-o", "json"))["items"][0]

    assert pod["spec"]["imagePullSecrets"] == [{"name": "private"}]
    assert pod["status"]["containerStatuses"][0]["ready"]
    runner = json.loads(shop.kubectl("get", "pod", "test-runner", "-o", "json"))
    assert {"name": "private"} in runner["spec"]["imagePullSecrets"]


def test_changed_chart_version_is_installed(shop):
    shop.edit("seatrial.toml", 'version = "1.2.3"', 'version = "1.3.0"')
    shop.edit("tests/test_delivery.py", "1.2.3", "1.3.0")
    shop.edit("seatrial.toml", 'version = "0.1.0"', 'version = "0.2.0"')
    shop.edit("tests/test_delivery.py", "0.1.0", "0.2.0")

    assert "12 passed" in shop("test").out
    assert shop.stage("install")["facts"]["installed"] == "base, second"


def test_release_pending_after_killed_upgrade_is_recovered(shop):
    shop.kill_helm("upgrade", "late", "late", "--set", "seconds=300")
    assert shop.release("late") == "pending-upgrade"

    done = shop("test")

    assert "late was left pending-upgrade" in done.err
    assert "12 passed" in done.out
    assert shop.release("late") == "deployed"


def test_release_pending_after_killed_install_is_recovered(shop):
    shop.helm("uninstall", "late")
    shop.kill_helm("install", "late", "late", "--set", "seconds=300")
    assert shop.release("late") == "pending-install"

    done = shop("test")

    assert "late was left pending-install" in done.err
    assert "12 passed" in done.out
    assert shop.release("late") == "deployed"


def test_registry_works_after_garbage_collection(shop):
    announced = shop.kubectl("get", "configmap", "-n", "kube-public", "local-registry-hosting", "-o", "yaml")
    (reader,) = re.findall(r"hostFromContainerRuntime: \W*([\w.-]+)", announced)
    # The container that accepts pushes.
    registry = next(name for name in (f"{reader}-writer", reader) if containers_named(name))
    repositories = "/var/lib/registry/docker/registry/v2/repositories"
    docker("exec", registry, "sh", "-c", f"rm -r {repositories}/*")
    collected = docker("exec", registry, "registry", "garbage-collect", "/etc/docker/registry/config.yml")
    assert "blob eligible for deletion" in collected
    # A node without the images, and a pod that cannot pull its image before the next command pushes it.
    images = "ctr -n k8s.io images"
    forget = f"{images} ls -q | grep -E 'foundry.invalid/python|shop-test' | xargs {images} rm --sync"
    docker("exec", f"{NAME}-delivery-control-plane", "bash", "-c", forget)
    shop.kubectl("delete", "pods", "-l", "app=web")
    until(lambda: "ImagePull" in shop.kubectl("get", "pods", "-l", "app=web"), "a failed pull")
    shop.edit("pyproject.toml", 'version = "0"', f'version = "0.{time.time_ns()}"')

    done = shop("test")

    assert "12 passed" in done.out
    assert "which was pushed since; recreating it" in done.err


def test_helm_of_killed_command_does_not_overwrite_next_one(shop):
    values = shop.root / "late" / "values.yaml"
    before = values.read_text()
    values.write_text('{"seconds": 300}')
    killed = shop.start("test")
    try:
        until(lambda: shop.release("late") == "pending-upgrade", "a pending release")
    finally:
        killed.kill()
        killed.communicate(timeout=PATIENCE)
        values.write_text(before)

    assert "12 passed" in shop("test").out
    assert shop.release("late") == "deployed"
    assert shop.kubectl("get", "configmap", "late", "-o", "jsonpath={.data.seconds}") == "0"
