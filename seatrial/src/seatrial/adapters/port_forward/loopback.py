"""Open listeners for the ports of a Service on a separate address in 127.0.0.0/8, so that they have the same numbers.

On Linux, every address in that network is local. On macOS only 127.0.0.1 is, unless `sudo ifconfig lo0 alias` adds
others. There, Services with the same port numbers get free ports.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

__all__ = ["address", "listen"]

_ATTEMPTS: Final = 64
_LOCALHOST: Final = "127.0.0.1"
_BACKLOG: Final = 256


def address(number: int) -> str:
    """Return the address for a number, in the upper half of 127.0.0.0/8, which other programs rarely use.

    The lower half contains 127.0.0.1, 127.0.1.1 of Debian, and the resolvers 127.0.0.53 and 127.0.0.54.
    """
    # The factor is coprime to the size: consecutive numbers are far apart, and none occurs twice.
    place = number * 2654435 % (128 * 256 * 254)
    upper, rest = divmod(place, 256 * 254)
    return f"127.{128 + upper}.{rest // 254}.{1 + rest % 254}"


def listen(ports: Sequence[int], number: int) -> dict[int, socket.socket]:
    """Return a listening socket for each port, all on one address; a port that is not available is replaced.

    Args:
        ports: port numbers of the Service.
        number: number of the first address that is tried.
    """
    for host in (*(address(number + step * 7919) for step in range(_ATTEMPTS)), _LOCALHOST):
        opened: dict[int, socket.socket] = {}
        try:
            for port in ports:
                opened[port] = _listening(host, port)
        except OSError as error:
            for each in opened.values():
                each.close()
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EADDRNOTAVAIL and host != _LOCALHOST:
                continue
            return _listen_replacing(ports, host)
        else:
            return opened
    return _listen_replacing(ports, _LOCALHOST)


def _listen_replacing(ports: Sequence[int], host: str) -> dict[int, socket.socket]:
    """Return listening sockets, on free ports instead of ports that are not available."""
    opened = {}
    for port in ports:
        with suppress(OSError):
            opened[port] = _listening(host, port)
            continue
        opened[port] = _listening(host, 0)
    return opened


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections of an earlier run in TIME_WAIT do not block the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
