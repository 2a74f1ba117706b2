"""A side returns the logs of a container's instances."""

from __future__ import annotations

import pytest

from comparison.recorded_sides import container, facts, run, side


@pytest.mark.parametrize(
    ("name", "logs"),
    [
        ("web", ["web-7d-x1/web", "web-7d-x2/web"]),
        ("web-admin", ["web-admin-0/main"]),
        ("db", ["db", "db-2"]),
        ("cache", []),
    ],
)
def test_log_is_of_the_instances_of_a_workload(name, logs):
    known = ["cache2", "db", "db-2", "web-7d-x1/web", "web-7d-x2/web", "web-admin-0/main"]
    containers = [container(name=each) for each in ("web", "web-admin", "db", "cache")]
    recorded = run(facts=facts(*containers), logs={each: each for each in known})

    assert side("a", recorded).log(container(name=name)) == "\n".join(logs)


def test_log_of_one_container_of_several_is_that_of_its_pod():
    both = [container(name="web/app"), container(name="web/proxy")]
    recorded = run(facts=facts(*both), logs={"web-0/app": "1", "web-0/proxy": "2"})

    assert side("a", recorded).log(both[0]) == "1\n2"
