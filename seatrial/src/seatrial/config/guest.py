"""Move a project into the namespaces of a guest environment, one that shares its cluster with others. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from seatrial.model.errors import UsageError
from seatrial.model.names import ISOLATED_PREFIX, dns_label
from seatrial.model.spec import Project

__all__ = ["guest_project"]


def guest_project(project: Project, name: str) -> Project:
    """Return the project of a guest environment: its runner in namespace `name`, all else in `name-NAMESPACE`.

    Args:
        project: the project as configured.
        name: value of `--namespace`.

    Raises:
        UsageError: a resulting name is not allowed for a namespace.
    """
    main = project.runner.namespace

    def moved(namespace: str) -> str:
        found = dns_label(name if namespace == main else f"{name}-{namespace}", what="namespace")
        if found == "default" or found.startswith("kube-"):
            raise UsageError(f"namespace {found!r} belongs to the cluster", hint="--namespace pr-42")
        if project.runner.isolated_namespaces and found.startswith(ISOLATED_PREFIX):
            raise UsageError(
                f"namespace {found!r} begins with {ISOLATED_PREFIX}",
                reason="with isolated-namespaces the tests could delete it",
                hint="--namespace pr-42",
            )
        return found

    return replace(
        project,
        runner=replace(project.runner, namespace=moved(main)),
        release=tuple(
            replace(each, namespace=moved(each.namespace), set={**each.set, **each.set_guest})
            for each in project.release
        ),
        service={
            key: replace(each, namespace=moved(each.namespace)) if each.namespace else each
            for key, each in project.service.items()
        },
    )
