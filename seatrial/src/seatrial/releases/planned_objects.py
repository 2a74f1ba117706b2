"""Render what a project will create, before anything is built or created, to check it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from seatrial.chart_checks.pods import namespaced
from seatrial.chart_checks.references import Reference
from seatrial.model.errors import CommandFailed, UsageError
from seatrial.model.finding import ObjectRef
from seatrial.model.spec import Project, ReleaseSpec
from seatrial.ports import Object
from seatrial.releases.manifests import manifests_of, pull_secrets_of

__all__ = ["placeholder_values", "planned_objects", "runner_references"]

_TAG: Final = "0" * 12
"""Tag of images that are not built yet."""

_PARALLEL: Final = 4


def placeholder_values(release: ReleaseSpec) -> dict[str, str]:
    """Return the single values that tell a chart which images to use, while these are not built yet."""
    return {
        key: value
        for path, image in release.images.items()
        for key, value in ((f"{path}.repository", image), (f"{path}.tag", _TAG))
    }


def planned_objects(
    project: Project, render: Callable[[ReleaseSpec], list[Object]], releases: Sequence[ReleaseSpec] | None = None
) -> list[Object]:
    """Return the objects of all releases, manifests and pull Secrets, each with its namespace.

    Args:
        project: the project.
        render: renders the chart of a release with `placeholder_values`.
        releases: the releases to render; None: all.

    Raises:
        UsageError: a chart does not render, or a manifest cannot be read.
    """
    chosen = project.release if releases is None else releases
    with ThreadPoolExecutor(_PARALLEL) as pool:
        rendered = list(pool.map(lambda release: _rendered(release, render), chosen))
    return [
        *(obj for release, found in zip(chosen, rendered, strict=True) for obj in namespaced(found, release.namespace)),
        *(obj for release in project.release for obj in manifests_of(release).read()),
        *pull_secrets_of(project.release, project.root).read(),
    ]


def runner_references(project: Project) -> list[Reference]:
    """Return the Secrets and ConfigMaps that variables of the runner pod refer to."""
    spec = project.runner
    subject = ObjectRef(kind="Pod", name=spec.pod, namespace=spec.namespace)
    return [
        Reference(
            subject=subject,
            kind="Secret" if kind == "secret" else "ConfigMap",
            name=name,
            namespace=spec.namespace,
            key=key,
            field=f"runner.env-from.{variable}",
        )
        for variable, (kind, name, key) in spec.references.items()
    ]


def _rendered(release: ReleaseSpec, render: Callable[[ReleaseSpec], list[Object]]) -> list[Object]:
    try:
        return render(release)
    except CommandFailed as error:
        raise UsageError(
            f"the chart of release {release.name} does not render",
            reason=error.reason or error.message,
            hint=f"helm template {release.name} {release.chart}"
            + "".join(f" --values {file}" for file in release.values),
        ) from error
