"""Why volumes cannot be mounted, and why claims have none."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.volumes import claim_pending, claims_of, mount_failure

POD = {
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {
        "volumes": [
            {"name": "tls", "secret": {"secretName": "tls"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "web"}},
        ]
    },
}


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        (
            "FailedMount", 'MountVolume.SetUp failed for volume "tls" : references non-existent secret key: x',
            "Secret tls has no key x",
        ),
        ("FailedMount", "Unable to attach or mount volumes: timed out", "Unable to attach or mount volumes: timed out"),
        ("FailedCreatePodSandBox", "network plugin is not ready", "network plugin is not ready"),
    ],
)  # fmt: skip
def test_message_of_the_kubelet_is_explained(reason, message, words):
    found = mount_failure(POD, {"reason": reason, "message": message})

    assert (found.cause, words in found.message, bool(found.hint)) == (reason, True, True)


def claim(phase="Pending", **spec):
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
        "status": {"phase": phase},
    }


def test_claim_is_no_problem_while_it_has_a_volume_or_waits_for_a_pod():
    assert claim_pending(claim("Bound"), []) is None
    assert claim_pending(claim(), [{"reason": "WaitForFirstConsumer", "message": "waiting"}]) is None


def test_claim_without_events_is_pending():
    found = claim_pending(claim(), [])

    assert (found.cause, found.hint) == ("ClaimPending", "kubectl describe pvc")


def test_claims_of_a_pod_are_named():
    assert claims_of(POD) == ["web"]
