"""The setting with a name that does not resolve."""

from __future__ import annotations

import pytest
from seatrial.diagnose.rules.names import explain_unresolved
from seatrial.model.finding import Finding, ObjectRef


def explained(value, *services):
    pod = {
        "metadata": {"name": "web-1", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "env": [{"name": "DATABASE_URL", "value": value}]}]},
    }
    finding = Finding(
        cause="NameNotResolved", subject=ObjectRef(kind="Pod", name="web-1"), message="it ended", hint="h"
    )
    return explain_unresolved(finding, pod, [{"metadata": {"name": name}} for name in services], [])


def test_similar_service_is_the_hint():
    found = explained("postgresql://u@databse:5432/x", "database", "web")

    assert found.message == "it ended; DATABASE_URL names databse, and no Service has that name"
    assert found.hint == "did you mean database?"


def test_services_are_listed_if_none_is_similar():
    assert explained("http://queue:80/").hint == "Services in shop: none"


@pytest.mark.parametrize("value", ["http://web:80/", "http://example.invalid/", "http://localhost:80/"])
def test_other_hosts_are_no_explanation(value):
    assert explained(value, "web").message == "it ended"
