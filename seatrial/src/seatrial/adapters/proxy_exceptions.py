"""Exempt local addresses from the proxies of the environment: loopback, the local registry, services of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["LOOPBACK", "direct"]

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "127.0.0.0/8")
"""Names first: only some clients understand an address range."""

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def direct(environment: Mapping[str, str], hosts: Iterable[str]) -> dict[str, str]:
    """Return the variables that make clients reach these hosts without a proxy; empty where no proxy is configured.

    kind copies NO_PROXY into its nodes, whose containerd then pulls from the local registry directly. Clients differ in
    whether they read the name in upper or in lower case first, so both are set.
    """
    if not any(environment.get(name) or environment.get(name.lower()) for name in _PROXIES):
        return {}
    upper, lower = environment.get("NO_PROXY", ""), environment.get("no_proxy", "")
    return {"NO_PROXY": _joined(upper or lower, hosts), "no_proxy": _joined(lower or upper, hosts)}


def _joined(given: str, hosts: Iterable[str]) -> str:
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    return "*" if "*" in entries else ",".join(dict.fromkeys([*entries, *hosts]))
