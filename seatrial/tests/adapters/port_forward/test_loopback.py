"""Listeners on loopback addresses: separate addresses, replacement of ports in use."""

from __future__ import annotations

import socket

from seatrial.adapters.port_forward.loopback import address, listen


def test_addresses_are_unique_and_valid():
    found = [address(number) for number in range(2000)]

    assert len(set(found)) == 2000
    assert all(127 < int(each.split(".")[1]) < 256 and 0 < int(each.split(".")[3]) < 255 for each in found)


def test_listen_uses_another_address_if_the_port_is_in_use():
    first, second = listen((18081,), 5), listen((18081,), 5)
    try:
        assert first[18081].getsockname()[1] == second[18081].getsockname()[1] == 18081
        assert first[18081].getsockname()[0] != second[18081].getsockname()[0]
    finally:
        first[18081].close()
        second[18081].close()


def test_listen_replaces_a_port_that_is_in_use_on_all_addresses():
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        opened = listen((port, 18082), 7)
        try:
            assert opened[port].getsockname()[1] not in (0, port)
            assert opened[18082].getsockname()[1] == 18082
        finally:
            for each in opened.values():
                each.close()
