"""Problems of an environment, found in its objects."""

from __future__ import annotations

from seatrial.app.problems import find_problems
from shop_world import deployment, pod


def test_findings_have_the_last_log_lines(world):
    it = deployment()
    it["spec"]["template"]["metadata"] = {"labels": {"app": "web"}}
    world.kube.put(it)
    bad = pod("web-abc-1")
    bad["metadata"]["labels"] = {"pod-template-hash": "abc"}
    bad["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}]
    bad["status"]["containerStatuses"] = [
        {"name": "c", "ready": False, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    ]
    bad["status"]["conditions"] = []
    world.kube.put(bad)
    world.kube.texts["web-abc-1", "c", False] = b"boom"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    world.kube.put({**service, "spec": {"selector": {"app": "web"}}})
    found = find_problems(world.kube, world.project)

    assert [each.cause for each in found] == ["Crash"]
    assert found[0].evidence == ("boom",)
    assert found[0].leads_to[0].startswith("service/web: it has no ")
