"""Commands in pods: channels, exit codes, lost connections."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.ports import StreamBroken

from .fake_api import frame, read_frame

OK = json.dumps({"status": "Success"}).encode()


def failure(code):
    cause = {"reason": "ExitCode", "message": str(code)}
    return json.dumps({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [cause]}}).encode()


def saying(*frames):
    def talk(connection):
        for each in frames:
            connection.sendall(each)
        threading.Event().wait(0.05)

    return talk


def run(kube, *argv, **more):
    return kube.exec("web", "shop").run(list(argv) or ["true"], timeout=5, **more)


def test_run_returns_output_and_exit_code(api, kube):
    api.talk = saying(frame(1, b"out"), frame(2, b"err"), frame(1, b"put"), frame(3, failure(7)), frame(0, b"", code=8))
    done = run(kube, "sh", "-c", "a b")

    assert (done.argv, done.code, done.stdout, done.stderr) == (("sh", "-c", "a b"), 7, b"output", b"err")
    assert api.asked[-1][2] == {
        "command": ["sh", "-c", "a b"],
        "container": ["tests"],
        "stdout": ["true"],
        "stderr": ["true"],
    }


def test_run_sends_stdin_in_pieces_and_closes_it(api, kube):
    sent = os.urandom(1_300_000)
    got = bytearray()

    def talk(connection):
        while True:
            _, data = read_frame(connection)
            if data[:2] == b"\xff\x00":
                break
            assert data[0] == 0
            got.extend(data[1:])
        connection.sendall(frame(1, b"x" * 70_000) + frame(3, OK))
        threading.Event().wait(0.05)

    api.talk = talk
    done = run(kube, stdin=sent)

    assert bytes(got) == sent
    assert (done.code, len(done.stdout)) == (0, 70_000)


def test_started_command_waits_for_its_input(api, kube):
    got = []

    def talk(connection):
        connection.sendall(frame(1, b"") + frame(2, b"") + frame(0, b"beat", code=9))
        while (data := read_frame(connection)[1]) != b"\xff\x00":
            got.append(data)
        connection.sendall(frame(1, b"done") + frame(3, OK))
        threading.Event().wait(0.05)

    api.talk = talk
    started = kube.exec("web", "shop").start(["take"], timeout=5)

    threading.Event().wait(0.1)
    assert started.is_waiting()
    assert started.finish(b"all of it").stdout == b"done"
    assert got == [b"beat", b"\x00all of it"]
    assert not started.is_waiting()


@pytest.mark.parametrize("said", [frame(3, failure(137)), frame(0, b"", code=8), b""])
def test_started_command_that_exited_is_not_waiting(api, kube, said):
    api.talk = saying(said)
    started = kube.exec("web", "shop").start(["take"], timeout=5)

    deadline = time.monotonic() + 5
    while started.is_waiting():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started.close()


def test_run_with_stdin_fails_on_old_servers(api, kube):
    api.subprotocol = "v4.channel.k8s.io"
    api.talk = saying()

    with pytest.raises(EnvironmentFailed) as caught:
        run(kube, stdin=b"x")
    assert caught.value.hint == "upgrade the cluster to Kubernetes 1.30 or newer"


@pytest.mark.parametrize("last", [b"", frame(0, b"", code=8)])
def test_run_without_exit_status_is_a_broken_stream(api, kube, last):
    api.talk = saying(frame(1, b"half"), last)

    with pytest.raises(StreamBroken):
        run(kube)


def test_refused_command_has_the_reason_of_the_api(api, kube):
    api.refuse = 400, {"message": "container tests is not running"}

    with pytest.raises(EnvironmentFailed) as caught:
        run(kube)
    assert caught.value.reason == "container tests is not running"


def test_refused_command_without_a_message_has_the_http_status(api, kube):
    api.refuse = 502, b"bad gateway"

    with pytest.raises(EnvironmentFailed) as caught:
        run(kube)
    assert caught.value.reason == "HTTP status 502"


def test_command_that_cannot_be_started_fails(api, kube):
    api.talk = saying(frame(3, json.dumps({"status": "Failure", "message": "exec: no such file"}).encode()))

    with pytest.raises(EnvironmentFailed) as caught:
        run(kube)
    assert caught.value.reason == "exec: no such file"


def test_silent_command_times_out(api, kube):
    api.talk = lambda _: threading.Event().wait(1.5)

    with pytest.raises(OutOfTime):
        kube.exec("web", "shop").run(["sleep"], timeout=0.2)


def test_printing_command_times_out(api, kube):
    def talk(connection):
        for _ in range(20):
            try:
                connection.sendall(frame(1, b"."))
            except OSError:
                return
            threading.Event().wait(0.05)

    api.talk = talk

    with pytest.raises(OutOfTime):
        kube.exec("web", "shop").run(["yes"], timeout=0.3)


def test_stream_yields_stdout_of_the_keeper(api, kube):
    api.talk = saying(frame(1, b"a"), frame(2, b"noise"), frame(1, b"b"), frame(3, OK))

    assert list(kube.exec("web", "shop").stream(["tail"])) == [b"a", b"b"]
    assert api.asked[-1][2]["container"] == ["keeper"]


def test_stream_of_a_failed_command_breaks_with_its_stderr(api, kube):
    api.talk = saying(frame(1, b"a"), frame(2, b"no run"), frame(3, failure(1)))

    with pytest.raises(StreamBroken) as caught:
        list(kube.exec("web", "shop").stream(["tail"]))
    assert str(caught.value) == "tail failed with exit code 1: no run"


def test_stream_breaks_with_a_lost_connection(api, kube):
    api.talk = saying(frame(1, b"a"))
    got = []

    with pytest.raises(StreamBroken):
        got.extend(kube.exec("web", "shop").stream(["tail"]))
    assert got in ([], [b"a"])


def test_stream_breaks_without_an_exit_status(api, kube):
    api.talk = saying(frame(0, b"", code=8))

    with pytest.raises(StreamBroken):
        list(kube.exec("web", "shop").stream(["tail"]))


@pytest.mark.parametrize(("status", "code"), [(OK, 0), (failure(7), 7)])
def test_relay_copies_output_and_returns_the_exit_code(api, kube, capfdbinary, status, code):
    api.talk = saying(frame(1, b"out \xff"), frame(2, b"err"), frame(1, b""), frame(1, b"put"), frame(3, status))

    assert kube.exec("web", "shop").relay(["http", "a b"], container="debug") == code
    assert capfdbinary.readouterr() == (b"out \xffput", b"err")
    assert api.asked[-1][2]["command"] == ["http", "a b"]
    assert "stdin" not in api.asked[-1][2]


def test_relay_breaks_without_an_exit_status(api, kube):
    api.talk = saying(frame(1, b"half"), frame(0, b"", code=8))

    with pytest.raises(StreamBroken, match="the command's exit status was lost"):
        kube.exec("web", "shop").relay(["true"])
