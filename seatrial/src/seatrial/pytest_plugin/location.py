"""Where this process runs: in a pod of the environment, or on a host beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["VARIABLE", "Location", "location"]

VARIABLE: Final = "SEATRIAL_LOCATION"
"""Says it outright: `pod` or `host`. The runner's pod sets it."""

# What Kubernetes mounts unless automountServiceAccountToken is off:
# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Location:
    """Where we are, and what says so."""

    where: Literal["pod", "host"]
    why: str


def location(environ: Mapping[str, str], *, namespace_file: Path = _NAMESPACE_FILE) -> Location:
    """Return where this process runs.

    The API's address in the environment alone proves nothing: development tools set it on hosts too, and so does a
    mounted ServiceAccount alone. Both together do.

    Args:
        environ: the environment.
        namespace_file: where a pod finds its namespace.

    Raises:
        ValueError: SEATRIAL_LOCATION is neither pod nor host.
    """
    said = environ.get(VARIABLE, "")
    match said:
        case "pod" | "host":
            return Location(said, f"{VARIABLE} says so")
        case "":
            pass
        case _:
            raise ValueError(f"{VARIABLE} is {said!r}, should be pod or host")
    if environ.get("KUBERNETES_SERVICE_HOST") and namespace_file.is_file():
        return Location("pod", "KUBERNETES_SERVICE_HOST is set and a ServiceAccount is mounted")
    return Location("host", f"no {VARIABLE}, and no ServiceAccount is mounted")
