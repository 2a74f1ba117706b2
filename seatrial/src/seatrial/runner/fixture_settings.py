"""Convert the configuration to the settings of the test fixtures: plain data that is sent to the pod. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.model.names import LABEL_ISOLATED_FOR
from seatrial.model.spec import Project, RunnerSpec, ServiceSpec

__all__ = ["fixture_settings", "isolation_rights", "isolation_role", "services_of"]


def isolation_role(runner: RunnerSpec) -> str:
    """Return the name of the ClusterRole that the tests have in namespaces that they create.

    The name of a namespace has no dots, so no two runners of a cluster share the name.
    """
    return f"seatrial.{runner.namespace}.{runner.pod}.inside"


def services_of(services: Mapping[str, ServiceSpec], namespace: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the services, by name, for a runner in a namespace."""
    return {
        name: {
            "service": service.name or name,
            "namespace": service.namespace or namespace,
            "port": service.port,
            "scheme": service.scheme,
            "ready": {
                "http": service.ready.http,
                "status": list(service.ready.status),
                "tcp": service.ready.tcp,
                "sql": service.ready.sql,
                "uri-from": service.ready.uri_from,
                "bucket": service.ready.bucket,
                "command": list(service.ready.command),
                "port": service.ready.port,
            }
            if service.ready
            else None,
        }
        for name, service in services.items()
    }


def isolation_rights(project: Project) -> dict[str, str] | None:
    """Return the role that the runner's ServiceAccount has in namespaces that it creates; None if it has none."""
    runner = project.runner
    if not runner.isolated_namespaces:
        return None
    return {"role": isolation_role(runner), "account": runner.pod, "namespace": runner.namespace}


def fixture_settings(project: Project, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the fixtures.

    Args:
        project: the configuration.
        labels: labels of the objects that the tests create.
    """
    return {
        "namespace": project.runner.namespace,
        "services": services_of(project.service, project.runner.namespace),
        "labels": {**labels, LABEL_ISOLATED_FOR: project.runner.namespace},
        "rights": isolation_rights(project),
    }
