"""Names, labels and ids, and the rules for them."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from pathlib import Path
from typing import NewType

from seatrial.model.errors import UsageError

__all__ = [
    "ISOLATED_PREFIX",
    "LABEL_DEBUG_POD",
    "LABEL_ENVIRONMENT",
    "LABEL_ENVIRONMENT_ID",
    "LABEL_EXPIRES",
    "LABEL_ISOLATED_FOR",
    "LABEL_KEPT",
    "LABEL_OWNER",
    "LABEL_PROJECT",
    "LABEL_USE",
    "OWNER",
    "EnvironmentId",
    "RunId",
    "canonical",
    "checkout_id",
    "dns_label",
    "label_value",
    "new_environment_id",
    "new_project_id",
    "new_run_id",
]

RunId = NewType("RunId", str)
"""Id of one run: `20260131-154501-3f2a`; sorts by time, is a DNS label."""

EnvironmentId = NewType("EnvironmentId", str)
"""Id of one environment, from `up` to `down`; a kept environment outlives many runs."""

LABEL_ENVIRONMENT_ID = "seatrial.dev/session"  # as older versions wrote it: their objects have to be found
LABEL_OWNER = "seatrial.dev/owner"
LABEL_EXPIRES = "seatrial.dev/expires"
LABEL_PROJECT = "seatrial.dev/project"
"""The project id: `project` in the configuration, else derived from the path of the directory."""

LABEL_ENVIRONMENT = "seatrial.dev/environment"
"""On namespaces that `--namespace NAME` created: NAME."""

LABEL_KEPT = "seatrial.dev/kept"
"""On namespaces: whether the environment outlives the command that created it."""

LABEL_ISOLATED_FOR = "seatrial.dev/isolated-for"
"""On namespaces that tests create, and on the cluster-wide objects that confine these: the runner's namespace."""

ISOLATED_PREFIX = "test-"
"""Prefix of the names of namespaces that tests create."""

LABEL_DEBUG_POD = "seatrial.dev/debug-pod"
"""On pods of `seatrial debug`."""

LABEL_USE = "seatrial.dev/use"
"""On a namespace, set to `allowed` by its owner: seatrial may create objects in it and never deletes the namespace."""

OWNER = "seatrial"
"""The value of LABEL_OWNER."""

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def dns_label(value: str, *, what: str) -> str:
    """Return `value` if it is a DNS label (RFC 1123), as names of namespaces, Services and clusters must be.

    Args:
        value: the name.
        what: kind of name, for the message: "cluster name".

    Raises:
        UsageError: it is not a DNS label.
    """
    if _DNS_LABEL.fullmatch(value):
        return value
    raise UsageError(
        f"{what} {value!r} is not a DNS label",
        reason="Kubernetes takes at most 63 characters of a-z, 0-9 and '-', and no '-' at the beginning or end",
        hint="use a name such as 'my-tests'",
    )


def label_value(text: str) -> str:
    """Return a text as the value of a label: at most 63 letters, digits, and `-`, `_` and `.` inside."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")


def new_project_id(name: str) -> str:
    """Return a new project id: a readable name and a random suffix."""
    return f"{_id_name(name)}-{secrets.token_hex(4)}"


def checkout_id(root: Path) -> str:
    """Return the id of a project without a configured one, derived from the absolute path of its directory.

    It is unique on this machine. Two checkouts of one project get different ids.
    """
    return f"{_id_name(root.name)}-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"


def _id_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-") or "project"


def new_run_id(at: datetime) -> RunId:
    """Return a new run id for a run that starts `at`."""
    return RunId(f"{at:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}")


def new_environment_id() -> EnvironmentId:
    """Return a new environment id: eight hexadecimal digits."""
    return EnvironmentId(secrets.token_hex(4))


def canonical(reference: str) -> str:
    """Return an image reference with its registry and tag: `docker.io/library/postgres:17`.

    Rules of https://github.com/distribution/reference: a first component with a dot or a colon, or `localhost`, is a
    registry. Without one the registry is Docker Hub, where names of one component are below `library/`.
    """
    name, at, digest = reference.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name
    if first in ("docker.io", "index.docker.io"):
        first = "docker.io"
        rest = rest if "/" in rest else f"library/{rest}"
    if ":" not in rest and not at:
        rest += ":latest"
    return f"{first}/{rest}{at}{digest}"
