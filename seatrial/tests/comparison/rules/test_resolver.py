"""Unknown names are explained with the settings of the resolver."""

from __future__ import annotations

import pytest
from seatrial.model.environment_facts import NameAnswer

from comparison.recorded_sides import explained, fact, facts, runner

OTHER = facts(runner=runner(search=(), ndots=0))


@pytest.mark.parametrize("text", ["socket.gaierror: [Errno -2]", "dial tcp: lookup web: no such host"])
def test_unknown_name_is_explained(text):
    explanation = explained(text, right_facts=OTHER)

    assert explanation.rule == "dns"
    assert explanation.evidence[1] == (
        "resolver: search shop.svc.cluster.local, ndots 5 in before, search none, ndots 0 in after"
    )


def test_answer_of_the_resolver_is_explained():
    unknown = facts(runner=runner(names=(NameAnswer(name="web", error="unknown"),)))

    assert fact(facts(), unknown, "dns-name").explanation.cause == "web does not resolve in after"
