from __future__ import annotations

import os
import socket

from seatrial.adapters.listeners import listeners
from seatrial.doubles import Answer, FakeProcesses


def processes(listed=""):
    return FakeProcesses({"docker ps": Answer(stdout=listed)})


def test_listening_process_is_named_with_its_id():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        found = listeners(processes())[server.getsockname()[1]]

    assert found.endswith(f"(process {os.getpid()})")


def test_published_port_is_that_of_its_container():
    found = listeners(processes("web\t127.0.0.1:18181->8181/tcp, 0.0.0.0:14566->4566/tcp\n"))
    assert (found[18181], found[14566]) == ("container web", "container web")
