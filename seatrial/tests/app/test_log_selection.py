from __future__ import annotations

import pytest
from seatrial.app.log_selection import select
from seatrial.model.errors import UsageError

from .log_cluster import PODS, PROJECT, Cluster


def names(cluster: Cluster, name: str | None, container: str | None = None) -> list[str]:
    selection, found = select(cluster, PROJECT, PODS, name, container)  # type: ignore[arg-type]
    return [f"{each['metadata']['name']}/{one}" for each in found for one in selection.containers(each)]


def test_all_containers_are_selected_by_default_in_the_order_of_their_start():
    assert names(Cluster(), None)[:3] == ["web-0/init", "web-0/app", "web-0/proxy"]
    assert len(names(Cluster(), None)) == 8


def test_runner_selects_the_tests_container_by_default():
    assert names(Cluster(), "runner") == ["test-runner/tests"]
    assert names(Cluster(), "runner", "keeper") == ["test-runner/keeper"]


def test_name_selects_workload_pod_or_service_in_its_namespace():
    behind = Cluster({("data", "postgresql"): {"app": "pg"}})
    assert names(behind, "web", "app") == names(behind, "web-0", "app") == ["web-0/app"]
    assert names(behind, "db") == ["pg-0/init", "pg-0/app"]


def test_unknown_name_is_an_error_that_lists_known_names():
    with pytest.raises(UsageError, match="no service, workload or pod is called 'wbe'") as raised:
        names(Cluster(), "wbe")
    assert raised.value.hint == "one of: pg, test-runner, web, runner"
    with pytest.raises(UsageError, match="no container is called 'sidecar'") as raised:
        names(Cluster(), "web", "sidecar")
    assert raised.value.hint == "one of: app, init, proxy"
