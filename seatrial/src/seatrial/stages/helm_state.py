"""How a release stands, out of the Secrets that Helm keeps its revisions in: no program to start for a look.

Their labels and content: https://helm.sh/docs/topics/advanced/#storage-backends; the same in Helm 3 and 4.
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

__all__ = ["Revision", "check_owner", "decode", "manifest", "newest", "newest_good"]


class Revision(NamedTuple):
    """One revision of a release; status is Helm's own word: deployed, superseded, failed, pending-upgrade."""

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


def newest(kube: Kube, release: ReleaseSpec) -> Revision | None:
    """Return the newest revision of a release, None if there is none."""
    return max(_revisions(kube, release), default=None)


def newest_good(kube: Kube, release: ReleaseSpec) -> Revision | None:
    """Return the newest revision that was once deployed, None if there never was one."""
    good = (each for each in _revisions(kube, release) if each.status in ("deployed", "superseded"))
    return max(good, default=None)


def manifest(kube: Kube, release: ReleaseSpec, revision: int) -> list[Object]:
    """Return the objects of a revision as Helm made them, without hooks.

    They can differ from what `helm template` says: names may hold the revision, values may be looked up in the cluster.
    """
    secret = kube.get("v1/Secret", f"sh.helm.release.v1.{release.name}.v{revision}", release.namespace)
    if secret is None:
        return []
    import yaml  # noqa: PLC0415

    documents = yaml.load_all(decode(secret)["manifest"], getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [document for document in documents if isinstance(document, dict) and document.get("kind")]


def decode(secret: Object) -> dict[str, Any]:
    """Return the release that a Secret of Helm's holds: JSON, compressed, and base64 in base64."""
    data = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    found: dict[str, Any] = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    return found


def _revisions(kube: Kube, release: ReleaseSpec) -> list[Revision]:
    secrets = kube.objects("v1/Secret", release.namespace, labels=f"owner=helm,name={release.name}")
    labels = [secret["metadata"].get("labels") or {} for secret in secrets]
    return [Revision(int(each.get("version", 0)), str(each.get("status", ""))) for each in labels]
