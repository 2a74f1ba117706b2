"""What refuses the pods of a workload."""

from __future__ import annotations

from seatrial.diagnose.rules.admission import refusal
from seatrial.model.finding import ObjectRef

REF = ObjectRef(kind="Deployment", name="web", namespace="shop")


def test_unknown_refusal_is_quoted_without_its_prefix():
    found = refusal(REF, 'Error creating: pods "web-1" is forbidden: nobody knows')

    assert (found.cause, found.message) == (
        "FailedCreate",
        'its pods are refused: pods "web-1" is forbidden: nobody knows',
    )


def test_quota_names_what_is_used():
    message = "exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2"

    assert (
        refusal(REF, message).message == "its pods are refused: quota team allows pods=2; used pods=2, requested pods=1"
    )


def test_ratio_of_a_limit_range_is_recognized():
    assert (
        refusal(REF, "cpu max limit to request ratio per Container is 2, but provided ratio is 4").cause == "LimitRange"
    )
