"""Exempt hosts from the proxies of the environment: loopback, the local registry, services of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["LOOPBACK", "no_proxy_variables"]

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "127.0.0.0/8")
"""Names first, because some clients do not support address ranges."""

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def no_proxy_variables(environment: Mapping[str, str], hosts: Iterable[str]) -> dict[str, str]:
    """Return NO_PROXY variables that include these hosts; empty if no proxy is configured.

    kind copies NO_PROXY into its nodes, so that their containerd pulls from the local registry without a proxy. Some
    clients read the upper-case name first and others the lower-case one, so both are set.
    """
    if not any(environment.get(name) or environment.get(name.lower()) for name in _PROXIES):
        return {}
    upper, lower = environment.get("NO_PROXY", ""), environment.get("no_proxy", "")
    return {"NO_PROXY": _joined(upper or lower, hosts), "no_proxy": _joined(lower or upper, hosts)}


def _joined(given: str, hosts: Iterable[str]) -> str:
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    return "*" if "*" in entries else ",".join(dict.fromkeys([*entries, *hosts]))
