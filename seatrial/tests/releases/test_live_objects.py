"""Objects of a release compared with their last good state."""

from __future__ import annotations

import pytest
from seatrial.model.errors import EnvironmentFailed
from seatrial.releases.live_objects import changed_keys, fingerprints


def test_jobs_have_no_fingerprint(world):
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}

    assert fingerprints(world.kube, [job], "shop") == {}


@pytest.mark.parametrize("listing", ["allowed", "forbidden"])
def test_many_objects_of_a_kind_are_listed_if_that_is_allowed(world, listing):
    made = [
        {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": {}}
        for api, kind in (("v1", "Service"), ("v1", "Secret"))
        for name in ("a", "b", "c")
    ]
    for obj in made:
        world.kube.put(obj)
    lists, gets = [], []
    get, many = world.kube.get, world.kube.objects

    def asked(kind, name, namespace=""):
        gets.append(f"{kind} {name}")
        return get(kind, name, namespace)

    def listed(kind, namespace="", **more):
        lists.append(kind)
        if listing == "forbidden":
            raise EnvironmentFailed("the cluster refuses GET")
        return many(kind, namespace, **more)

    world.kube.get, world.kube.objects = asked, listed
    before = fingerprints(world.kube, made, "shop")
    secrets = ["v1/Secret a", "v1/Secret b", "v1/Secret c"]

    assert lists == ["v1/Service"]
    single = [] if listing == "allowed" else ["v1/Service a", "v1/Service b", "v1/Service c"]
    assert gets == [*single, *secrets]
    assert changed_keys(world.kube, before) == []
    world.kube.store["v1/Service", "shop", "b"]["spec"] = {"edited": True}
    world.kube.delete("v1/Service", "c", "shop")
    assert changed_keys(world.kube, before) == ["v1/Service shop b", "v1/Service shop c"]
