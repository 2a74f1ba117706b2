"""Join adapters to ports for an environment: kind configuration, existing clusters, kubeconfig copies."""

from __future__ import annotations

import json
import os

import pytest
from msgspec.structs import replace as changed
from seatrial.app.wiring import environment, visitor
from seatrial.model.errors import UsageError
from seatrial.model.spec import ClusterSpec

EXISTING = ClusterSpec(provider="existing", context="theirs", registry="r.example.com")


@pytest.mark.parametrize("missing", ["context", "registry"])
def test_existing_cluster_requires_context_and_registry(machines, missing):
    project = changed(machines.project, cluster=changed(EXISTING, **{missing: None}))
    record = machines.new(project=machines.project)

    with pytest.raises(UsageError) as caught:
        environment(machines.this, project, record)
    assert f"cluster.{missing}" in caught.value.message


@pytest.mark.parametrize("text", [None, "a: [", "- odd"])
def test_invalid_kind_configuration_is_an_error(machines, tmp_path, text):
    path = tmp_path / "kind.yaml"
    if text:
        path.write_text(text)
    project = changed(machines.project, cluster=ClusterSpec(name="it", config=path))

    with pytest.raises(UsageError):
        environment(machines.this, project, machines.new(project=machines.project))


def test_only_the_foreground_environment_has_host_ports(machines, tmp_path):
    path = tmp_path / "kind.yaml"
    path.write_text(
        "kind: Cluster\nnodes: [{role: control-plane, extraPortMappings: [{containerPort: 1, hostPort: 8080}]}]\n"
    )
    project = changed(machines.project, cluster=ClusterSpec(name="it", config=path))
    record = machines.new(project=machines.project)

    assert environment(machines.this, project, record).host_ports == (("0.0.0.0", 8080),)
    assert environment(machines.this, project, changed(record, foreground=False)).host_ports == ()


def theirs(path, token):
    """Write a kubeconfig with one context."""
    users = [{"name": "u", "user": {"token": token}}]
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]
    contexts = [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}]
    path.write_text(json.dumps({"users": users, "clusters": clusters, "contexts": contexts}))


@pytest.fixture
def existing(machines, tmp_path):
    """A project with an existing cluster, and its kubeconfig."""
    source = tmp_path / "their-config"
    theirs(source, "one")
    return changed(machines.project, cluster=changed(EXISTING, kubeconfig=source)), source


def test_changed_kubeconfig_is_copied_by_content(machines, existing):
    project, source = existing
    record = machines.new(project=project)
    copy = environment(machines.this, project, record).cluster.kubeconfig
    assert json.loads(copy.read_text())["users"][0]["user"]["token"] == "one"
    assert copy.stat().st_mode & 0o077 == 0

    theirs(source, "two")
    os.utime(source, (1, 1))
    assert environment(machines.this, project, record).cluster.kubeconfig == copy
    assert json.loads(copy.read_text())["users"][0]["user"]["token"] == "two"
    assert copy.stat().st_mode & 0o077 == 0
    before = copy.stat().st_ino
    environment(machines.this, project, record)
    assert copy.stat().st_ino == before, "what is unchanged is not written"


def test_kubeconfig_copy_has_the_namespace_of_the_tests(machines, existing):
    project, _ = existing
    record = machines.new(project=project)
    environment(machines.this, project, record)
    moved = changed(project, runner=changed(project.runner, namespace="elsewhere"))
    copy = environment(machines.this, moved, record).cluster.kubeconfig

    assert json.loads(copy.read_text())["contexts"][0]["context"]["namespace"] == "elsewhere"


def test_visitor_copies_no_kubeconfig(machines, existing):
    project, source = existing
    record = visitor(machines.this, project)
    assert record is not None
    cluster = environment(machines.this, project, record).cluster

    assert cluster.kubeconfig == source
    assert [path for path in machines.this.ledger.root.rglob("*") if path.is_file()] == []


def test_command_for_kubernetes_refuses_a_compose_environment(machines):
    record = changed(machines.new(), provider="compose", cluster="shop-aa")

    with pytest.raises(UsageError, match="this command requires Kubernetes") as caught:
        environment(machines.this, machines.project, record)
    assert "shop-aa-test-runner-1" in caught.value.hint
