"""Find the services of a project in its Compose file, where their names and ports may be others. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from seatrial.model.spec import Project
from seatrial.pod.fixtures.endpoint import service_overrides, service_variable

__all__ = ["compose_project"]


def compose_project(project: Project) -> Project:
    """Return the project with its services as Docker Compose has them.

    `SEATRIAL_SERVICE_NAME=HOST:PORT` under `[compose.env]` names the Compose service and its container port. Without
    it, they are name and port of the Kubernetes Service. The variable itself is removed: the host and the runner reach
    the service in different ways.
    """
    compose = project.compose
    if compose is None:
        return project
    located = {
        name: replace(
            project.service[name], name=host, namespace=None, port=port, scheme=scheme or project.service[name].scheme
        )
        for name, (host, port, scheme, _) in service_overrides(project.service, compose.env, ()).items()
    }
    settings = {service_variable(name) for name in project.service}
    env = {name: value for name, value in compose.env.items() if name not in settings}
    return replace(project, service={**project.service, **located}, compose=replace(compose, env=env))
