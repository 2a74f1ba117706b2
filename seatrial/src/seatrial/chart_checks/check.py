"""Check all objects that a project will create. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from seatrial.chart_checks.references import Reference, missing_references
from seatrial.chart_checks.removed_apis import removed_apis
from seatrial.chart_checks.requests import oversized_pods
from seatrial.chart_checks.service_links import service_link_collisions
from seatrial.model.finding import Finding
from seatrial.ports import Object

__all__ = ["check_objects", "kubernetes_version"]


def kubernetes_version(text: str) -> tuple[int, int] | None:
    """Return major and minor version from `v1.34.4` or the tag of a node image; None if the text has no version."""
    found = re.search(r"(?:^|:)v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def check_objects(
    objects: Sequence[Object],
    *,
    references: Iterable[Reference] = (),
    version: tuple[int, int] | None = None,
    cpus: int = 0,
    memory: int = 0,
    is_complete: bool = True,
) -> list[Finding]:
    """Return what is wrong with objects, the fatal findings first.

    Args:
        objects: rendered objects, with namespaces.
        references: references to Secrets and ConfigMaps from elsewhere.
        version: of Kubernetes; None: unknown.
        cpus: of the largest node; 0: unknown.
        memory: of the largest node, in bytes; 0: unknown.
        is_complete: whether the cluster will have no other objects: then a missing Secret stays missing.
    """
    found = [
        *(removed_apis(objects, version) if version else ()),
        *(missing_references(objects, references) if is_complete else ()),
        *oversized_pods(objects, cpus=cpus, memory=memory),
        *service_link_collisions(objects),
    ]
    return sorted(found, key=lambda finding: not finding.fatal)
