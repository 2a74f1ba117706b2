"""Read the settings of pods: variables, arguments and ConfigMaps, and the hosts that they name. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from seatrial.diagnose.failure_kind import hosts_in
from seatrial.diagnose.incidents.incident import ServiceName

__all__ = ["named_hosts", "named_services", "settings_of"]

_ADDRESS_VARIABLE: Final = re.compile(r"HOST|ADDR|SERVER|SERVICE|URL|URI|ENDPOINT|UPSTREAM|BACKEND", re.IGNORECASE)
"""Names of variables whose whole value may be the name of a Service."""


def settings_of(
    spec: Mapping[str, Any], namespace: str, data: Mapping[ServiceName, Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield name and value of the settings of a pod: variables, arguments, files of ConfigMaps."""
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for variable in container.get("env") or ():
            source = (variable.get("valueFrom") or {}).get("configMapKeyRef")
            if source:
                value = data.get((namespace, source.get("name", "")), {}).get(source.get("key", ""), "")
            else:
                value = variable.get("value") or ""
            yield variable["name"], value
        for source in container.get("envFrom") or ():
            reference = (source.get("configMapRef") or {}).get("name", "")
            yield from data.get((namespace, reference), {}).items()
        for argument in (*(container.get("command") or ()), *(container.get("args") or ())):
            yield "its command", str(argument)
    for volume in spec.get("volumes") or ():
        reference = (volume.get("configMap") or {}).get("name", "")
        yield from data.get((namespace, reference), {}).items()


def named_hosts(setting: str, value: str) -> list[str]:
    """Return the hosts that a setting names: those in addresses, and its whole value if its name says so."""
    hosts = [host for host, _ in hosts_in(value)]
    if _ADDRESS_VARIABLE.search(setting):
        hosts.append(value.strip())
    return hosts


def named_services(setting: str, value: str, namespace: str, known: Collection[ServiceName]) -> Iterator[ServiceName]:
    """Yield the Services that a setting names as addresses."""
    for host in named_hosts(setting, value):
        name, _, rest = host.lower().partition(".")
        key = (rest.split(".")[0] if rest else namespace, name)
        if key in known:
            yield key
