"""The engine's parts that can be told without one."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from pathlib import Path

import pytest

from foundry import daemon, leftovers, machine
from foundry.engine import Engine
from foundry.errors import FoundryError


@pytest.mark.skipif(platform.system() != "Linux", reason="it is a Linux program")
def test_the_tiny_program_runs_and_ends_well(tmp_path):
    program = tmp_path / "true"
    program.write_bytes(daemon.tiny_program(machine.architecture()))
    program.chmod(0o755)

    assert subprocess.run([program], check=False).returncode == 0
    assert program.stat().st_size < 200


def test_there_is_one_for_each_processor():
    assert daemon.tiny_program("amd64")[18:20] == (62).to_bytes(2, "little")
    assert daemon.tiny_program("arm64")[18:20] == (183).to_bytes(2, "little")


def paths(folder: Path) -> leftovers.Paths:
    return leftovers.Paths.from_environment({"FOUNDRY_DOCKER_ROOT": str(folder)})


def test_an_engine_in_its_own_folder_touches_nothing_outside(tmp_path):
    found = paths(tmp_path)

    assert all(p.is_relative_to(tmp_path) for p in (found.data, found.run, found.pid, found.socket))
    assert "--bridge=none" in found.flags
    assert "--iptables=false" in found.flags


def test_pid_files_of_the_dead_and_of_others_are_removed(tmp_path):
    found = paths(tmp_path)
    (found.run / "containerd").mkdir(parents=True)
    found.pid.write_text(str(os.getpid()))
    containerd = found.run / "containerd" / "containerd.pid"
    containerd.write_text("not a number")
    found.socket.touch()

    leftovers.forget_dead(found)

    assert not found.pid.exists()
    assert not containerd.exists()
    assert not found.socket.exists()


def test_a_socket_that_somebody_listens_on_is_left(tmp_path):
    found = paths(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(found.socket))
        server.listen()
        leftovers.forget_dead(found)

        assert found.socket.exists()
    leftovers.forget_dead(found)
    assert not found.socket.exists()


def test_a_stale_socket_of_the_systems_containerd_is_removed_for_an_engine_in_the_usual_places(tmp_path):
    """dockerd would wait for it: it takes the socket's being there for a running containerd."""
    stale = tmp_path / "containerd.sock"
    usual = leftovers.Paths(tmp_path / "data", tmp_path / "run", tmp_path / "pid", tmp_path / "sock")
    stale.touch()

    leftovers.forget_dead(paths(tmp_path), stale)
    assert stale.exists()
    leftovers.forget_dead(usual, stale)
    assert not stale.exists()


def test_mounts_below_a_folder_are_found_and_no_others(tmp_path):
    (tmp_path / "data").mkdir()
    line = "36 35 98:0 / {} rw,noatime master:1 - ext3 /dev/root rw"
    inside = [f"{tmp_path}/data/overlay2/a\\040b/merged", f"{tmp_path}/data/c"]
    mountinfo = "\n".join(line.format(point) for point in ["/", *inside, f"{tmp_path}/database"])

    assert leftovers.mounts_below(mountinfo, [tmp_path / "data"]) == [
        f"{tmp_path}/data/overlay2/a b/merged",
        f"{tmp_path}/data/c",
    ]


def test_what_the_machines_own_configuration_sets_is_not_said_twice(tmp_path):
    file = tmp_path / "daemon.json"
    file.write_text('{"storage-driver": "btrfs"}')

    assert daemon.configured("storage-driver", file)
    assert not daemon.configured("bridge", file)
    assert not daemon.configured("bridge", tmp_path / "none")


@pytest.mark.parametrize(
    ("where", "try_"),
    [
        (("darwin", False, False, ""), "Docker Desktop"),
        (("linux", False, True, ""), "by your distribution"),
        (("linux", True, False, ""), "sudo apt-get install docker.io"),
        (("linux", True, True, "tcp://elsewhere:2375"), "unset DOCKER_HOST"),
    ],
)
def test_where_no_engine_can_be_started_one_line_says_what_to_do(monkeypatch, where, try_):
    system, debian, root, host = where
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(machine, "is_debian", lambda: debian)
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(Engine, "version", lambda _: "")
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.delenv("FOUNDRY_DOCKER_ROOT", raising=False)

    with pytest.raises(FoundryError) as refused:
        daemon.ensure(Engine(), machine.Cache(Path("/nowhere")), print)

    assert try_ in refused.value.try_
