"""Find out whether a server accepts connections, directly or by the proxy that this machine's settings name."""

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
    """Try to connect to several addresses at once, in threads. Any of them that accepts counts."""

    def __init__(self, addresses: Iterable[Address], seconds: float = CONNECT_SECONDS) -> None:
        self._connected = threading.Event()
        for address in dict.fromkeys(addresses):
            threading.Thread(target=self._try, args=(address, seconds), daemon=True).start()

    @property
    def connected(self) -> bool:
        """Whether a server has accepted a connection so far."""
        return self._connected.is_set()

    def wait(self, seconds: float = CONNECT_SECONDS) -> bool:
        """Wait for a server to accept a connection; False: none did in that time."""
        return self._connected.wait(seconds)

    def _try(self, address: Address, seconds: float) -> None:
        try:
            with socket.create_connection(address, timeout=seconds):
                self._connected.set()
        except (OSError, UnicodeError):
            return


def way_to(server: str, scheme: str = "https") -> Address:
    """The address to connect to for a server (`host` or `host:port`): its own, or that of the environment's proxy."""
    proxy = urllib.request.getproxies().get(scheme, "")
    if proxy and not urllib.request.proxy_bypass(server):
        return address(proxy)
    return address(f"{scheme}://{server}")


def address(url: str) -> Address:
    """Host and port of a URL; a proxy may be written without a scheme."""
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    return parts.hostname or "", parts.port or (HTTPS if parts.scheme == "https" else 80)
