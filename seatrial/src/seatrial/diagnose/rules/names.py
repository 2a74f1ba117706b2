"""Find the setting with the host name that does not resolve. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from seatrial.diagnose.settings import named_hosts, settings_of
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["explain_unresolved"]

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
"""A host name without dots: within the cluster, the name of a Service in the same namespace."""


def explain_unresolved(
    finding: Finding, pod: Object, services: Iterable[Object], config_maps: Iterable[Object]
) -> Finding:
    """Return a finding about a name that does not resolve with the setting that has the name of no Service.

    Args:
        finding: its cause is NameNotResolved.
        pod: the pod whose program could not resolve a name.
        services: Services of its namespace.
        config_maps: ConfigMaps of its namespace.
    """
    place = pod["metadata"].get("namespace", "")
    names = sorted(each["metadata"]["name"] for each in services)
    data = {(place, each["metadata"]["name"]): each.get("data") or {} for each in config_maps}
    for setting, value in settings_of(pod["spec"], place, data):
        for host in named_hosts(setting, value):
            if _LABEL.fullmatch(host) and host not in names and host != "localhost":
                near = difflib.get_close_matches(host, names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"Services in {place}: {', '.join(names) or 'none'}"
                message = f"{finding.message}; {setting} names {host}, and no Service has that name"
                return replace(finding, message=message, hint=hint)
    return finding
