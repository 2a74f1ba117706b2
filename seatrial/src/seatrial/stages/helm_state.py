"""How a release stands, out of the Secrets that Helm keeps its revisions in: no program to start for a look.

Their labels: https://helm.sh/docs/topics/advanced/#storage-backends; the same in Helm 3 and 4.
"""

from __future__ import annotations

from typing import NamedTuple

from seatrial.model.spec import ReleaseSpec
from seatrial.ports import Kube

__all__ = ["Revision", "newest", "newest_good"]


class Revision(NamedTuple):
    """One revision of a release; status is Helm's own word: deployed, superseded, failed, pending-upgrade."""

    revision: int
    status: str


def newest(kube: Kube, release: ReleaseSpec) -> Revision | None:
    """Return the newest revision of a release, None if there is none."""
    return max(_revisions(kube, release), default=None)


def newest_good(kube: Kube, release: ReleaseSpec) -> Revision | None:
    """Return the newest revision that was once deployed, None if there never was one."""
    good = (each for each in _revisions(kube, release) if each.status in ("deployed", "superseded"))
    return max(good, default=None)


def _revisions(kube: Kube, release: ReleaseSpec) -> list[Revision]:
    secrets = kube.objects("v1/Secret", release.namespace, labels=f"owner=helm,name={release.name}")
    labels = [secret["metadata"].get("labels") or {} for secret in secrets]
    return [Revision(int(each.get("version", 0)), str(each.get("status", ""))) for each in labels]
