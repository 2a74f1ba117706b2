"""Local addresses for Services: each has one of its own in 127.0.0.0/8, so that all can have their real ports.

Linux takes every address of that network as its own. macOS only 127.0.0.1, unless `sudo ifconfig lo0 alias` adds some:
there, Services whose ports collide get free ports instead.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

__all__ = ["address", "listen"]

_TRIES: Final = 64
_ONLY: Final = "127.0.0.1"
_BACKLOG: Final = 256


def address(number: int) -> str:
    """Return an address for a number: in the upper half of 127.0.0.0/8, where nobody else looks for one.

    The lower half has 127.0.0.1, Debian's own 127.0.1.1 and the resolvers 127.0.0.53 and 127.0.0.54.
    """
    # A step that is coprime to the size, so that neighbours are far apart and none comes twice.
    place = number * 2654435 % (128 * 256 * 254)
    upper, rest = divmod(place, 256 * 254)
    return f"127.{128 + upper}.{rest // 254}.{1 + rest % 254}"


def listen(ports: Sequence[int], number: int) -> dict[int, socket.socket]:
    """Return a listening socket for each port, all on one address, on their real ports if that can be.

    Args:
        ports: real ports.
        number: which address to try first.
    """
    for host in (*(address(number + step * 7919) for step in range(_TRIES)), _ONLY):
        opened: dict[int, socket.socket] = {}
        try:
            for port in ports:
                opened[port] = _listening(host, port)
        except OSError as error:
            for each in opened.values():
                each.close()
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EADDRNOTAVAIL and host != _ONLY:
                continue
            return _some_free(ports, host)
        else:
            return opened
    return _some_free(ports, _ONLY)


def _some_free(ports: Sequence[int], host: str) -> dict[int, socket.socket]:
    """Return listening sockets on real ports where possible, else on free ones."""
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
        # Connections of an earlier run that linger do not hold the port; listeners do.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
