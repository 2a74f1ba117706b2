"""Resolve service names to local addresses inside this process, without root permissions.

The module replaces `socket.getaddrinfo`, `gethostbyname`, `gethostbyname_ex` and `socket.socket.connect`/`connect_ex`.
The original functions handle all names that are not configured services. Clients that resolve names in C, Rust or Go do
not call these functions: they need the endpoint of the fixture `service`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seatrial.ports import Address

__all__ = ["NameResolver"]

_PLAIN = ("", "localhost")
Addresses = Mapping[int, "Address"]


class NameResolver:
    """A resolver for service names.

    Args:
        find: returns local addresses by port; None if the name is not a service.
        missing: returns a sentence for the error about an unknown name; may be empty.
    """

    def __init__(self, find: Callable[[str], Addresses | None], missing: Callable[[str], str]) -> None:
        self._find = find
        self._missing = missing
        self._saved: dict[str, Any] = {}

    def install(self) -> None:
        """Replace the functions of `socket`."""
        if self._saved:
            return
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            self._saved[name] = getattr(socket, name)
            setattr(socket, name, getattr(self, name))
        connect, connect_ex, dial = socket.socket.connect, socket.socket.connect_ex, self._service_address
        self._saved |= {"connect": connect, "connect_ex": connect_ex}

        class Patched:
            def connect(self: Any, address: Any) -> None:
                return connect(self, dial(self, address))

            def connect_ex(self: Any, address: Any) -> int:
                return connect_ex(self, dial(self, address))

        socket.socket.connect = Patched.connect  # type: ignore[method-assign]
        socket.socket.connect_ex = Patched.connect_ex  # type: ignore[method-assign]

    def uninstall(self) -> None:
        """Restore the functions, unless other code has replaced them since."""
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
            if self._saved and getattr(socket, name) == getattr(self, name):
                setattr(socket, name, self._saved[name])
        if self._saved:
            # The originals are inherited methods, so deleting the replacements restores them.
            for name in ("connect", "connect_ex"):
                if name in vars(socket.socket):
                    delattr(socket.socket, name)
        self._saved = {}

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        """Replace `socket.getaddrinfo`."""
        original = self._saved["getaddrinfo"]
        addresses = self._addresses_of(host)
        if addresses is None:
            return self._call_original(original, host, port, *args, **kwargs)
        found = original(_host(addresses), port, *args, **kwargs)
        return [(*entry[:4], (entry[4][0], _port(addresses, entry[4][1]), *entry[4][2:])) for entry in found]

    def gethostbyname(self, hostname: Any) -> Any:
        """Replace `socket.gethostbyname`."""
        addresses = self._addresses_of(hostname)
        return self._call_original(self._saved["gethostbyname"], hostname) if addresses is None else _host(addresses)

    def gethostbyname_ex(self, hostname: Any) -> Any:
        """Replace `socket.gethostbyname_ex`."""
        addresses = self._addresses_of(hostname)
        if addresses is None:
            return self._call_original(self._saved["gethostbyname_ex"], hostname)
        return (hostname, [], [_host(addresses)])

    def _service_address(self, sock: Any, address: Any) -> Any:
        if sock.family == socket.AF_INET and isinstance(address, tuple) and address:
            addresses = self._addresses_of(address[0])
            if addresses is not None:
                return (_host(addresses), _port(addresses, address[1]))
        return address

    def _addresses_of(self, host: Any) -> Addresses | None:
        """Return the addresses of a name; None for numeric addresses, localhost and other names."""
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if not isinstance(host, str) or host in _PLAIN or host[:1].isdigit() or ":" in host:
            return None
        return self._find(host.lower().removesuffix("."))

    def _call_original(self, original: Callable[..., Any], host: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(host, *args, **kwargs)
        except socket.gaierror as error:
            more = self._missing(host.lower().removesuffix(".")) if isinstance(host, str) else ""
            if not more:
                raise
            raise socket.gaierror(error.errno, f"{error.strerror}; {more}") from None


def _host(addresses: Addresses) -> str:
    return next(iter(addresses.values())).host


def _port(addresses: Addresses, port: int) -> int:
    return addresses[port].port if port in addresses else port
