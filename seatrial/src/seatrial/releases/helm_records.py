"""Read the state of releases from the Secrets in which Helm records revisions, without starting Helm.

Helm 3 and 4 use the same labels and content: https://helm.sh/docs/topics/advanced/#storage-backends.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from seatrial.model.errors import UsageError
from seatrial.model.names import LABEL_OWNER, LABEL_PROJECT
from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Kube, Object

__all__ = [
    "Revision",
    "check_owner",
    "decode_record",
    "newest_deployed_revision",
    "newest_revision",
    "objects_of_revision",
    "own_releases",
]


class Revision(NamedTuple):
    """One revision of a release. `status` is Helm's word: deployed, superseded, failed or pending-upgrade."""

    revision: int
    status: str


def check_owner(kube: Kube, releases: Iterable[ReleaseSpec], labels: Mapping[str, str]) -> None:
    """Check that releases that already exist belong to the project.

    Raises:
        UsageError: a release belongs to another owner.
    """
    for release in releases:
        for secret in kube.objects("v1/Secret", release.namespace, labels=f"owner=helm,name={release.name}"):
            found = secret["metadata"].get("labels") or {}
            if any(found.get(key) != value for key, value in labels.items()):
                raise UsageError(
                    f"release {release.name} in namespace {release.namespace} belongs to another owner",
                    reason=f"its Helm record has no label {LABEL_OWNER} with this {LABEL_PROJECT}",
                    hint="choose another release name or another namespace",
                )


def own_releases(kube: Kube, namespace: str, owner_selector: str, *, name: str = "") -> list[str]:
    """Return the names of a project's releases in a namespace. Helm keeps the project's labels in its Secrets.

    Args:
        kube: the cluster's API.
        namespace: the namespace.
        owner_selector: label selector of the project.
        name: only this release; empty: all.
    """
    selector = f"owner=helm,{owner_selector}" + (f",name={name}" if name else "")
    return sorted(
        {secret["metadata"]["labels"]["name"] for secret in kube.objects("v1/Secret", namespace, labels=selector)}
    )


def newest_revision(kube: Kube, release: ReleaseSpec) -> Revision | None:
    """Return the newest revision of a release; None if it has none."""
    return max(_revisions(kube, release), default=None)


def newest_deployed_revision(kube: Kube, release: ReleaseSpec) -> Revision | None:
    """Return the newest revision that was deployed; None if no revision ever was."""
    good = (each for each in _revisions(kube, release) if each.status in ("deployed", "superseded"))
    return max(good, default=None)


def objects_of_revision(kube: Kube, release: ReleaseSpec, revision: int) -> list[Object]:
    """Return the objects of a revision as Helm created them, without hooks; empty if the revision is not recorded.

    They can differ from the output of `helm template`: a chart can use the revision number or read from the cluster.
    """
    secret = kube.get("v1/Secret", f"sh.helm.release.v1.{release.name}.v{revision}", release.namespace)
    if secret is None:
        return []
    import yaml  # noqa: PLC0415

    documents = yaml.load_all(decode_record(secret)["manifest"], getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [document for document in documents if isinstance(document, dict) and document.get("kind")]


def decode_record(secret: Object) -> dict[str, Any]:
    """Return the release that a Secret of Helm contains: compressed JSON in base64 in base64."""
    data = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    found: dict[str, Any] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return found


def _revisions(kube: Kube, release: ReleaseSpec) -> list[Revision]:
    secrets = kube.objects("v1/Secret", release.namespace, labels=f"owner=helm,name={release.name}")
    labels = [secret["metadata"].get("labels") or {} for secret in secrets]
    return [Revision(int(each.get("version", 0)), str(each.get("status", ""))) for each in labels]
