"""Revisions and objects read from Helm's records."""

from __future__ import annotations

import base64

import pytest
from fakes import FakeKube
from seatrial.model.errors import UsageError
from seatrial.model.spec import ReleaseSpec
from seatrial.releases import helm_records
from shop_world import revision

RELEASE = ReleaseSpec(name="shop", chart="c", namespace="ns")


def test_newest_and_newest_deployed_revision():
    kube = FakeKube(revision(9, "superseded"), revision(10, "deployed"), revision(11, "pending-upgrade"))

    assert helm_records.newest_revision(kube, RELEASE) == (11, "pending-upgrade")
    assert helm_records.newest_deployed_revision(kube, RELEASE) == (10, "deployed")
    assert helm_records.newest_revision(FakeKube(), RELEASE) is None
    assert helm_records.newest_deployed_revision(FakeKube(revision(1, "pending-install")), RELEASE) is None


def test_objects_of_revision_are_those_of_its_manifest():
    kube = FakeKube(revision(2, "deployed", "---\nkind: Job\n---\n# empty\n---\nkind: Pod\n"))

    assert helm_records.objects_of_revision(kube, RELEASE, 2) == [{"kind": "Job"}, {"kind": "Pod"}]
    assert helm_records.objects_of_revision(kube, RELEASE, 3) == []


def test_uncompressed_record_of_an_older_helm_is_decoded():
    data = base64.b64encode(base64.b64encode(b'{"manifest": ""}')).decode()

    assert helm_records.decode_record({"data": {"release": data}}) == {"manifest": ""}


@pytest.mark.parametrize("labels", [{}, {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "other"}])
def test_release_of_another_owner_is_refused(labels):
    secret = revision(1, "deployed")
    secret["metadata"]["labels"].update(labels)
    wanted = {"seatrial.dev/owner": "seatrial", "seatrial.dev/project": "shop"}

    with pytest.raises(UsageError, match="release shop in namespace ns belongs to another owner"):
        helm_records.check_owner(FakeKube(secret), [RELEASE], wanted)
    secret["metadata"]["labels"].update(wanted)
    helm_records.check_owner(FakeKube(secret), [RELEASE], wanted)
