"""Test the parts of the engine start that need no engine."""

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


@pytest.mark.skipif(platform.system() != "Linux", reason="requires Linux")
def test_tiny_program_exits_0(tmp_path):
    program = tmp_path / "true"
    program.write_bytes(daemon.tiny_program(machine.architecture()))
    program.chmod(0o755)

    assert subprocess.run([program], check=False).returncode == 0
    assert program.stat().st_size < 200


def test_tiny_program_exists_for_each_architecture():
    assert daemon.tiny_program("amd64")[18:20] == (62).to_bytes(2, "little")
    assert daemon.tiny_program("arm64")[18:20] == (183).to_bytes(2, "little")


def paths(folder: Path) -> leftovers.Paths:
    return leftovers.Paths.from_environment({"FOUNDRY_DOCKER_ROOT": str(folder)})


def test_paths_custom_root_contains_all_files(tmp_path):
    found = paths(tmp_path)

    assert all(p.is_relative_to(tmp_path) for p in (found.data, found.run, found.pid, found.socket))
    assert "--bridge=none" in found.flags
    assert "--iptables=false" in found.flags


def test_remove_stale_files_deletes_pid_files_of_dead_and_other_processes(tmp_path):
    found = paths(tmp_path)
    (found.run / "containerd").mkdir(parents=True)
    found.pid.write_text(str(os.getpid()))
    containerd = found.run / "containerd" / "containerd.pid"
    containerd.write_text("not a number")
    found.socket.touch()

    leftovers.remove_stale_files(found)

    assert not found.pid.exists()
    assert not containerd.exists()
    assert not found.socket.exists()


def test_remove_stale_files_keeps_socket_in_use(tmp_path):
    found = paths(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(found.socket))
        server.listen()
        leftovers.remove_stale_files(found)

        assert found.socket.exists()
    leftovers.remove_stale_files(found)
    assert not found.socket.exists()


def test_remove_stale_files_default_root_deletes_system_containerd_socket(tmp_path):
    """dockerd would wait for it, because it takes an existing socket for a running containerd."""
    stale = tmp_path / "containerd.sock"
    usual = leftovers.Paths(tmp_path / "data", tmp_path / "run", tmp_path / "pid", tmp_path / "sock")
    stale.touch()

    leftovers.remove_stale_files(paths(tmp_path), stale)
    assert stale.exists()
    leftovers.remove_stale_files(usual, stale)
    assert not stale.exists()


def test_mount_points_below_returns_only_mounts_in_folders(tmp_path):
    (tmp_path / "data").mkdir()
    line = "36 35 98:0 / {} rw,noatime master:1 - ext3 /dev/root rw"
    inside = [f"{tmp_path}/data/overlay2/a\\040b/merged", f"{tmp_path}/data/c"]
    mountinfo = "\n".join(line.format(point) for point in ["/", *inside, f"{tmp_path}/database"])

    assert leftovers.mount_points_below(mountinfo, [tmp_path / "data"]) == [
        f"{tmp_path}/data/overlay2/a b/merged",
        f"{tmp_path}/data/c",
    ]


def test_is_configured_reads_daemon_json(tmp_path):
    file = tmp_path / "daemon.json"
    file.write_text('{"storage-driver": "btrfs"}')

    assert daemon.is_configured("storage-driver", file)
    assert not daemon.is_configured("bridge", file)
    assert not daemon.is_configured("bridge", tmp_path / "none")


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        (("darwin", False, False, ""), "Docker Desktop"),
        (("linux", False, True, ""), "from your distribution"),
        (("linux", True, False, ""), "sudo apt-get install docker.io"),
        (("linux", True, True, "tcp://elsewhere:2375"), "unset DOCKER_HOST"),
    ],
)
def test_check_startable_unsupported_machine_gives_hint(monkeypatch, where, hint):
    system, debian, root, host = where
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(machine, "is_debian", lambda: debian)
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(Engine, "version", lambda _: "")
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.delenv("FOUNDRY_DOCKER_ROOT", raising=False)

    with pytest.raises(FoundryError) as refused:
        daemon.ensure(Engine(), machine.Cache(Path("/nowhere")), print)

    assert hint in refused.value.hint
