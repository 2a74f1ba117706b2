"""Clusters of others, and this machine."""

from __future__ import annotations

import json
import socket
import time

import pytest
from seatrial.adapters import machine
from seatrial.adapters.existing_cluster import ExistingCluster
from seatrial.doubles import FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import UsageError


def kubeconfig(path, context):
    entry = {"name": context, "context": {"cluster": "c"}}
    clusters = [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]
    path.write_text(json.dumps({"contexts": [entry], "clusters": clusters}))
    return path


def test_context_of_a_given_file(tmp_path):
    it = ExistingCluster("it", kubeconfig=kubeconfig(tmp_path / "a", "it"), processes=FakeProcesses({}))

    assert (it.exists(), it.identity(), it.name) == (True, "", "it")
    it.connect().close()
    it.delete(deadline=Deadline.after(1))
    assert it.exists(), "it is not ours to remove"


def test_context_is_searched_as_kubectl_does(tmp_path, monkeypatch):
    first, second = kubeconfig(tmp_path / "a", "other"), kubeconfig(tmp_path / "b", "it")
    monkeypatch.setenv("KUBECONFIG", f"{first}::{second}")

    assert ExistingCluster("it", kubeconfig=None, processes=FakeProcesses({})).kubeconfig == second


def test_context_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    it = ExistingCluster("it", kubeconfig=None, processes=FakeProcesses({}))

    assert not it.exists()
    with pytest.raises(UsageError):
        it.create(deadline=Deadline.after(1), log=tmp_path / "log", progress=print)


def test_ports():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not machine.port_is_free("127.0.0.1", port)
    assert machine.port_is_free("127.0.0.1", port)


def test_clock():
    clock = machine.SystemClock()

    assert clock.now().tzinfo is not None
    assert clock.monotonic() <= clock.monotonic()


def test_memory_peak(tmp_path, monkeypatch):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:  1000 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)
    monkeypatch.setattr(machine, "_INTERVAL", 0.01)
    peak = machine.MemoryPeak()
    meminfo.write_text("MemAvailable:  400 kB\n")
    until = time.monotonic() + 5
    while not peak.bytes and time.monotonic() < until:
        time.sleep(0.01)
    meminfo.write_text("MemAvailable:  900 kB\n")
    time.sleep(0.05)
    peak.close()

    assert peak.bytes == 600 * 1024


@pytest.mark.parametrize("text", [None, "MemTotal: 9 kB\n"])
def test_memory_peak_of_machines_that_do_not_tell(tmp_path, monkeypatch, text):
    meminfo = tmp_path / "meminfo"
    if text:
        meminfo.write_text(text)
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)

    assert machine.MemoryPeak().bytes == 0
