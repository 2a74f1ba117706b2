"""Container logs and objects are written to the run directory; what cannot be read is left out."""

from __future__ import annotations

import base64
import json
import threading

import pytest
from fakes import FakeKube, refused
from seatrial.collection.collector import Collected, collect
from seatrial.model.redaction import SECRETS
from shop_world import pod


@pytest.fixture
def kube():
    return FakeKube(pod())


@pytest.fixture
def secret():
    SECRETS.learn(["pl@nted-value"])
    return "pl@nted-value"


def collected(kube, tmp_path, *, since=None, bundle=False, idle_limit=60.0):
    return collect(
        kube, ["shop"], tmp_path, since=since, bundle=tmp_path / "bundle" if bundle else None, idle_limit=idle_limit
    )


class TestLogs:
    def logs(self, tmp_path):
        directory = tmp_path / "logs" / "pods" / "shop" / "web-1"
        return {path.name: path.read_bytes() for path in directory.iterdir()}

    def test_logs_of_all_containers_and_of_the_instance_before_a_restart_are_written(self, tmp_path):
        kube = FakeKube(pod(restarts=1, init=True))
        for key, text in {("c", False): b"now", ("c", True): b"before", ("first", False): b"first"}.items():
            kube.texts[("web-1", *key)] = text

        assert collected(kube, tmp_path) == Collected(3, complete=True)
        assert self.logs(tmp_path) == {"c.1.log": b"now", "c.0.log": b"before", "first.0.log": b"first"}

    @pytest.mark.parametrize("since", [None, 11])
    def test_since_is_passed_on(self, kube, tmp_path, since):
        collected(kube, tmp_path, since=since)

        assert kube.since == [since]

    def test_logs_that_cannot_be_read_are_left_out(self, kube, tmp_path):
        def logs(*args, **more):
            raise refused("gone")

        kube.logs = logs
        assert collected(kube, tmp_path) == Collected(0, complete=True)

    def test_collection_is_incomplete_after_the_idle_limit(self, kube, tmp_path):
        block = threading.Event()
        kube.logs = lambda *args, **more: block.wait()

        assert collected(kube, tmp_path, idle_limit=0.1) == Collected(0, complete=False)
        block.set()

    def test_unexpected_error_of_a_reader_is_raised(self, kube, tmp_path):
        def logs(*args, **more):
            raise ZeroDivisionError

        kube.logs = logs
        with pytest.raises(ZeroDivisionError):
            collected(kube, tmp_path)

    def test_known_secrets_are_hidden(self, kube, tmp_path, secret):
        encoded = base64.b64encode(secret.encode())
        kube.texts[("web-1", "c", False)] = f"login with {secret} or ".encode() + encoded
        collected(kube, tmp_path)

        log = self.logs(tmp_path)["c.0.log"]
        assert b"login with ***" in log
        assert b"pl@nted" not in log
        assert encoded not in log


class TestBundle:
    def test_bundle_contains_pods_and_nodes_and_no_secrets(self, kube, tmp_path):
        kube.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}})
        collected(kube, tmp_path, bundle=True)
        bundle = tmp_path / "bundle"

        assert json.loads((bundle / "shop" / "pod.json").read_text())[0]["metadata"]["name"] == "web-1"
        assert sorted(path.name for path in bundle.rglob("*.json")) == ["nodes.json", "pod.json"]

    def test_kinds_that_cannot_be_read_are_left_out(self, kube, tmp_path):
        listed = kube.objects

        def objects(kind, *args, **more):
            if kind != "v1/Pod":
                raise refused("forbidden")
            return listed(kind, *args, **more)

        kube.objects = objects
        assert collected(kube, tmp_path, bundle=True).complete
        assert [path.name for path in (tmp_path / "bundle").rglob("*.json")] == ["pod.json"]

    def test_known_secrets_are_hidden(self, tmp_path, secret):
        found = pod()
        found["spec"]["containers"][0]["args"] = [f"--password={secret}"]
        collected(FakeKube(found), tmp_path, bundle=True)

        assert "--password=***" in (tmp_path / "bundle" / "shop" / "pod.json").read_text()
