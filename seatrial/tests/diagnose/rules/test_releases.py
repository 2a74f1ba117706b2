"""Helm releases that are locked."""

from __future__ import annotations

from seatrial.diagnose.rules.releases import locked_releases


def record(version, status, name="shop"):
    labels = {"owner": "helm", "name": name, "version": str(version), "status": status}
    return {"metadata": {"name": f"sh.helm.release.v1.{name}.v{version}", "namespace": "shop", "labels": labels}}


def test_pending_newest_revision_is_a_lock():
    (found,) = locked_releases([record(10, "pending-upgrade"), record(9, "deployed"), {"metadata": {"name": "x"}}])

    assert (found.subject.name, found.message.split(":")[0]) == ("shop", "revision 10 is pending-upgrade")


def test_older_pending_revision_is_no_lock():
    assert locked_releases([record(1, "pending-install"), record(2, "deployed")]) == []
