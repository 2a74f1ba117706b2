from __future__ import annotations

import socket

from seatrial.adapters.process import LocalProcesses
from seatrial.app.doctor_facts import listeners


def test_listeners_names_the_process_of_a_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        holder = listeners(LocalProcesses())[listener.getsockname()[1]]

    assert "(process " in holder
