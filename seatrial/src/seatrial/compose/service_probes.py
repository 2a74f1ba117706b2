"""Describe the probes of the declared services for the runner in a Compose network. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.model.spec import ServiceSpec
from seatrial.pod.fixtures.endpoint import service_variable
from seatrial.pod.fixtures.probes import probe_of
from seatrial.runner.fixture_settings import services_of

__all__ = ["hint_of", "probes_of"]


def probes_of(services: Mapping[str, ServiceSpec]) -> list[dict[str, Any]]:
    """Return the probe of each service, as the script in the runner reads it; without `ready`, an open port is enough.

    The host is the name of the Compose service. It is that of the Kubernetes Service.
    """
    return [
        {
            "name": name,
            **probe_of(service, service["service"], (service["ready"] or {}).get("port") or service["port"]),
        }
        for name, service in services_of(services, "").items()
    ]


def hint_of(name: str) -> str:
    """Return the hint for a service that does not answer."""
    return (
        f"seatrial logs {name}; if its name or port differs in Compose, set {service_variable(name)} in [compose.env]"
    )
