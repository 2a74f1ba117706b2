"""`docker exec` by a program that runs the command on this machine."""

from __future__ import annotations

import time

import pytest
from seatrial.adapters.container_exec import ContainerExec
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.ports import StreamBroken

DOCKER = """#!/bin/sh
shift
[ "$1" = -i ] && shift || exec </dev/null
name=$1; shift
[ "$name" = stopped ] && { echo "Error response from daemon: Container 1a is not running" >&2; exit 1; }
NAME=$name exec "$@"
"""


@pytest.fixture
def exec_(tmp_path, monkeypatch):
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return ContainerExec({"tests": "shop-tests-1", "keeper": "shop-keeper-1", "other": "stopped"})


class TestRun:
    def test_output_exit_code_and_container(self, exec_):
        done = exec_.run(["sh", "-c", "echo $NAME; echo bad >&2; exit 3"], container="keeper", timeout=10)

        assert (done.code, done.stdout, done.stderr) == (3, b"shop-keeper-1\n", b"bad\n")

    def test_input_larger_than_a_pipe_is_sent(self, exec_):
        done = exec_.run(["cat"], stdin=b"x" * 1_000_000, timeout=10)

        assert len(done.stdout) == 1_000_000

    def test_command_without_input_reads_its_end(self, exec_):
        assert exec_.run(["cat"], timeout=10).stdout == b""

    def test_command_that_does_not_read_its_input(self, exec_):
        assert exec_.run(["true"], stdin=b"x" * 1_000_000, timeout=10).code == 0

    def test_slow_command_is_out_of_time(self, exec_):
        with pytest.raises(OutOfTime, match="sleep in container tests timed out after 0 s"):
            exec_.run(["sleep", "30"], timeout=0.2)

    def test_stopped_container_is_an_error(self, exec_):
        with pytest.raises(EnvironmentFailed, match="cannot run true in container other") as caught:
            exec_.run(["true"], container="other", timeout=10)
        assert caught.value.reason == "Container 1a is not running"

    def test_endless_output_is_an_error(self, exec_, monkeypatch):
        monkeypatch.setattr("seatrial.adapters.container_exec._LARGEST", 1 << 20)

        with pytest.raises(EnvironmentFailed, match="printed more than 1 MiB"):
            exec_.run(["cat", "/dev/zero"], timeout=10)

    def test_missing_docker_is_an_error(self, exec_, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")

        with pytest.raises(EnvironmentFailed, match="docker cannot be started"):
            exec_.run(["true"], timeout=10)


class TestStart:
    def test_command_waits_for_its_input(self, exec_):
        started = exec_.start(["cat"], timeout=10)

        assert started.is_waiting()
        assert started.finish(b"now").stdout == b"now"
        assert not started.is_waiting()

    def test_command_that_ended_does_not_wait(self, exec_):
        started = exec_.start(["true"], timeout=10)
        until = time.monotonic() + 10
        while started.is_waiting() and time.monotonic() < until:
            time.sleep(0.01)

        assert not started.is_waiting()
        started.close()


class TestStream:
    def test_pieces_arrive_while_the_command_runs(self, exec_):
        stream = exec_.stream(["sh", "-c", "echo one; cat >/dev/null; echo two"], container="tests")

        assert next(stream) == b"one\n"
        stream.close()

    def test_failed_command_breaks_the_stream(self, exec_):
        with pytest.raises(StreamBroken, match="sh failed with exit code 4: sorry"):
            list(exec_.stream(["sh", "-c", "echo one; echo sorry >&2; exit 4"]))

    def test_successful_command_ends_the_stream(self, exec_):
        assert b"".join(exec_.stream(["echo", "one"])) == b"one\n"

    def test_silence_breaks_the_stream(self, exec_):
        with pytest.raises(StreamBroken, match="no output"):
            list(exec_.stream(["sleep", "30"], silence=0.1))

    def test_stopped_container_is_an_error(self, exec_):
        with pytest.raises(EnvironmentFailed, match="cannot run true"):
            list(exec_.stream(["true"], container="other"))


def test_relay_returns_the_exit_code(exec_, capfd):
    assert exec_.relay(["sh", "-c", "echo out; echo err >&2; exit 5"]) == 5
    assert capfd.readouterr() == ("out\n", "err\n")
