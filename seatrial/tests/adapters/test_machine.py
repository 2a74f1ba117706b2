"""Clock, memory usage and ports of this machine."""

from __future__ import annotations

import socket
import time

import pytest
from seatrial.adapters import machine


def test_port_is_free_unless_a_process_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not machine.port_is_free("127.0.0.1", port)
    assert machine.port_is_free("127.0.0.1", port)


def test_system_clock_has_an_offset_from_utc():
    clock = machine.SystemClock()

    assert clock.now().tzinfo is not None


def test_memory_peak_is_the_highest_usage_above_the_start(tmp_path, monkeypatch):
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
def test_memory_peak_is_zero_without_meminfo(tmp_path, monkeypatch, text):
    meminfo = tmp_path / "meminfo"
    if text:
        meminfo.write_text(text)
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)

    assert machine.MemoryPeak().bytes == 0


@pytest.mark.parametrize(
    ("instances", "logs"), [("128\n", 16), ("160\n", 32), ("8192\n", 64), ("many", 16), (None, 16)]
)
def test_logs_that_may_be_followed_leave_inotify_instances_to_the_nodes(tmp_path, monkeypatch, instances, logs):
    file = tmp_path / "max_user_instances"
    if instances:
        file.write_text(instances)
    monkeypatch.setattr(machine, "_INOTIFY", file)

    assert machine.followed_logs() == logs
