"""Whether a container registry answers at all."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http import HTTPStatus

__all__ = ["registry_silence"]


def registry_silence(host: str, *, timeout: float) -> str:
    """Ask a registry for its API version and return why it does not answer; empty if it does.

    Proxies are those of the environment, as for the engine's client. Any answer of the API counts, 401 first of all:
    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support

    Args:
        host: `registry-1.docker.io`, or host:port.
        timeout: seconds to wait.
    """
    scheme = "http" if host.partition(":")[0] in {"localhost", "127.0.0.1"} else "https"
    request = urllib.request.Request(f"{scheme}://{host}/v2/", method="GET")  # noqa: S310 - one of the two above
    try:
        with urllib.request.urlopen(request, timeout=timeout):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        with error:
            if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and "Www-Authenticate" in error.headers:
                return ""
            return f"answers {error.code}, which is no registry's answer"
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        return str(reason)
