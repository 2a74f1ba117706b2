"""A project in namespaces of its own, beside other environments in the same cluster. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from seatrial.model.errors import UsageError
from seatrial.model.names import ISOLATED_PREFIX, dns_label
from seatrial.model.spec import Project

__all__ = ["beside"]


def beside(project: Project, name: str) -> Project:
    """Return a project whose own namespace is `name`, and whose others are `name-OTHER`.

    Args:
        project: as configured; its own namespace is that of the runner.
        name: what `--namespace` said.

    Raises:
        UsageError: no namespace may be called so.
    """
    main = project.runner.namespace

    def place(namespace: str) -> str:
        found = dns_label(name if namespace == main else f"{name}-{namespace}", what="namespace")
        if found == "default" or found.startswith("kube-"):
            raise UsageError(f"namespace {found!r} is the cluster's own", hint="--namespace pr-42")
        if project.runner.isolated_namespaces and found.startswith(ISOLATED_PREFIX):
            raise UsageError(
                f"namespace {found!r} begins with {ISOLATED_PREFIX}",
                reason="with isolated-namespaces the tests could delete it",
                hint="--namespace pr-42",
            )
        return found

    return replace(
        project,
        runner=replace(project.runner, namespace=place(main)),
        release=tuple(
            replace(each, namespace=place(each.namespace), set={**each.set, **each.set_beside})
            for each in project.release
        ),
        service={
            key: replace(each, namespace=place(each.namespace)) if each.namespace else each
            for key, each in project.service.items()
        },
    )
