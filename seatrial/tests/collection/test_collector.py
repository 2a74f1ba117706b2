"""Container logs and objects are written to the run directory; what cannot be read is left out."""

from __future__ import annotations

import base64
import json
import threading

import pytest
from fake_streams import FakeStreams
from fakes import FakeKube, refused
from seatrial.collection.collector import Collected, collect
from seatrial.doubles import FakeClock
from seatrial.model.redaction import SECRETS
from seatrial.ports import Change
from seatrial.watching.log_files import Limits
from seatrial.watching.recorder import ClusterRecorder, Scope
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


class TestWithRecorder:
    """Logs that the recorder followed are not read again."""

    @pytest.fixture
    def streams(self):
        return FakeStreams()

    @pytest.fixture
    def recorder(self, streams, tmp_path):
        scope = Scope(namespaces=("shop",), whole_cluster=True)
        made = ClusterRecorder(streams, tmp_path, scope, FakeClock(), is_new=True)
        streams.advance(5)
        return made

    def seen(self, streams, *names):
        """Let the recorder see running pods; return the logs that it follows."""
        pods = [pod(name=name) for name in names]
        for each in pods:
            each["metadata"]["uid"] = each["metadata"]["name"]
            each["status"]["containerStatuses"][0]["containerID"] = f"c-{each['metadata']['name']}"
        streams.watches["v1/Pod", ""](Change(type="synced", objects=tuple(pods)))
        return streams.logs

    def collected(self, kube, recorder, tmp_path, *, failed):
        recorder.stop()
        bundle = tmp_path / "bundle" if failed else None
        return collect(kube, ["shop"], tmp_path, since=None, bundle=bundle, idle_limit=60.0, recorder=recorder)

    def known(self, *names):
        kube = FakeKube(*(pod(name=name) for name in names))
        for (_, _, name), obj in kube.store.items():
            obj["metadata"]["uid"] = name
            kube.texts[name, "c", False] = b"read from the API\n"
        return kube

    def test_complete_recording_of_a_passed_run_needs_no_request(self, streams, recorder, tmp_path):
        (log,) = self.seen(streams, "web-1")
        log.data(b"1Z followed\n")
        kube = self.known("web-1")
        kube.objects = kube.logs = None

        result = self.collected(kube, recorder, tmp_path, failed=False)

        assert result == Collected(1, complete=True)
        assert result.sizes == {("web-1", "c"): len(b"1Z followed\n")}

    @pytest.mark.parametrize("failed", [True, False])
    def test_log_that_was_lost_is_read_from_the_api(self, streams, recorder, tmp_path, failed):
        first, second = self.seen(streams, "web-1", "web-2")
        first.data(b"1Z followed\n")
        second.ended(404, "not found")
        kube = self.known("web-1", "web-2")

        result = self.collected(kube, recorder, tmp_path, failed=failed)

        assert result == Collected(2, complete=True)
        texts = {path.parent.name: path.read_bytes() for path in tmp_path.rglob("c.0.log")}
        assert texts == {"web-1": b"1Z followed\n", "web-2": b"read from the API\n"}

    def test_end_of_a_log_that_was_cut_is_read_after_a_failure(self, streams, recorder, tmp_path, monkeypatch):
        monkeypatch.setattr(recorder.files, "_limits", Limits(container=10, run=1000))
        (log,) = self.seen(streams, "web-1")
        log.data(b"1Z a long line\n")

        self.collected(self.known("web-1"), recorder, tmp_path, failed=True)

        directory = tmp_path / "logs" / "pods" / "shop" / "web-1"
        assert b"cut the log here" in (directory / "c.0.log").read_bytes()
        assert (directory / "c.0.end.log").read_bytes() == b"read from the API\n"


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
