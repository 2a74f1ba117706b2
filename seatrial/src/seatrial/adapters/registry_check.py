"""Check whether a container registry answers."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http import HTTPStatus

from seatrial.adapters.proxy_exceptions import LOOPBACK

__all__ = ["registry_problem"]


def registry_problem(host: str, *, timeout: float) -> str:
    """Return why a registry does not answer; empty if it does.

    Uses the proxies of the environment, except for loopback. Any answer of the registry API counts, including 401:
    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support

    Args:
        host: `registry-1.docker.io`, or host:port.
        timeout: of the request, in seconds.
    """
    local = host.partition(":")[0] in LOOPBACK
    scheme = "http" if local else "https"
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
    request = urllib.request.Request(f"{scheme}://{host}/v2/", method="GET")  # noqa: S310 - one of the two above
    try:
        with opener.open(request, timeout=timeout):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and "Www-Authenticate" in error.headers:
                return ""
            return f"HTTP status {error.code} instead of the answer of a registry"
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        return str(reason)
