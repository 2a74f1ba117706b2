"""Probe whether a server accepts connections, directly or through the configured proxy."""

from __future__ import annotations

import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterable

CONNECT_SECONDS = 3.0
HTTPS = 443

Address = tuple[str, int]


class Probe:
    """Connect to several addresses concurrently; succeeds if any of them accepts."""

    def __init__(self, addresses: Iterable[Address], seconds: float = CONNECT_SECONDS) -> None:
        self._connected = threading.Event()
        for address in dict.fromkeys(addresses):
            threading.Thread(target=self._try, args=(address, seconds), daemon=True).start()

    @property
    def connected(self) -> bool:
        """Whether a server accepted a connection."""
        return self._connected.is_set()

    def wait(self, seconds: float = CONNECT_SECONDS) -> bool:
        """Wait until a server accepts a connection. Return False if none did within `seconds`."""
        return self._connected.wait(seconds)

    def _try(self, address: Address, seconds: float) -> None:
        try:
            with socket.create_connection(address, timeout=seconds):
                self._connected.set()
        except (OSError, UnicodeError):
            return


def connect_address(server: str, scheme: str = "https") -> Address:
    """Return the address to connect to for `host` or `host:port`: the server's, or the configured proxy's."""
    proxy = urllib.request.getproxies().get(scheme, "")
    if proxy and not urllib.request.proxy_bypass(server):
        return address(proxy)
    return address(f"{scheme}://{server}")


def address(url: str) -> Address:
    """Return host and port of a URL. A proxy may lack the scheme."""
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    return parts.hostname or "", parts.port or (HTTPS if parts.scheme == "https" else 80)
