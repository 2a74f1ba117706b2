"""An existing cluster is used through its kubeconfig context."""

from __future__ import annotations

import json

import pytest
from seatrial.adapters.existing_cluster import ExistingCluster
from seatrial.doubles import FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import UsageError


def kubeconfig(path, context):
    entry = {"name": context, "context": {"cluster": "c"}}
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]
    path.write_text(json.dumps({"contexts": [entry], "clusters": clusters}))
    return path


def test_existing_cluster_is_never_deleted(tmp_path):
    it = ExistingCluster("it", kubeconfig=kubeconfig(tmp_path / "a", "it"), processes=FakeProcesses({}))

    assert (it.exists(), it.identity(), it.name) == (True, "", "it")
    it.connect().close()
    it.delete(deadline=Deadline.after(1))
    assert it.exists(), "delete does nothing"


def test_kubeconfig_is_searched_in_the_files_of_the_variable(tmp_path, monkeypatch):
    first, second = kubeconfig(tmp_path / "a", "other"), kubeconfig(tmp_path / "b", "it")
    monkeypatch.setenv("KUBECONFIG", f"{first}::{second}")

    assert ExistingCluster("it", kubeconfig=None, processes=FakeProcesses({})).kubeconfig == second


def test_create_fails_for_a_missing_context(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    it = ExistingCluster("it", kubeconfig=None, processes=FakeProcesses({}))

    assert not it.exists()
    with pytest.raises(UsageError):
        it.create(deadline=Deadline.after(1), log=tmp_path / "log", progress=print)
