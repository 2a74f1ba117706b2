"""Whether a container registry answers at all."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http import HTTPStatus

from seatrial.adapters.proxy_exceptions import LOOPBACK

__all__ = ["registry_silence"]


def registry_silence(host: str, *, timeout: float) -> str:
    """Ask a registry for its API version and return why it does not answer; empty if it does.

    Proxies are those of the environment, as for the engine's client, and none for this machine. Any answer of the API
    counts, 401 first of all:
    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support

    Args:
        host: `registry-1.docker.io`, or host:port.
        timeout: seconds to wait.
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
            return f"answers {error.code}, which is no registry's answer"
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        return str(reason)
