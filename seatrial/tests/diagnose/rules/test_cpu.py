"""Containers that their CPU limit slows down."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.cpu import throttled

POD = {
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop"},
    "spec": {"containers": [{"name": "web", "resources": {"limits": {"cpu": "100m"}}}]},
}


@pytest.mark.parametrize(
    ("statistics", "found"),
    [
        ("usage_usec 5\nnr_periods 100\nnr_throttled 25\nthrottled_usec 7", True),
        ("nr_periods 100\nnr_throttled 24\nthrottled_time 7", False),
        ("nr_periods 49\nnr_throttled 49", False),
        ("", False),
    ],
)
def test_quarter_of_the_periods_is_the_limit(statistics, found):
    assert (throttled(POD, "web", statistics) is not None) is found


def test_message_has_the_limit_and_the_share():
    found = throttled(POD, "web", "nr_periods 200\nnr_throttled 150")

    assert found.message == "its CPU limit of 100m stopped it in 75 % of 200 periods of 0.1 s"
