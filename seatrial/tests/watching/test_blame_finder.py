from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from diagnose.timeline_values import NOON, deployment, ended, failed, healthy, service
from fakes import FakeKube
from msgspec.structs import replace
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.spec import ServiceSpec
from seatrial.model.timeline import encode_record
from seatrial.watching import blame_finder
from seatrial.watching.blame_finder import BlameFinder
from shop_world import project as shop_project

REFUSED = "httpx.ConnectError: [Errno 111] Connection refused"


class Waits(threading.Event):
    """Never set; records how long it was waited for."""

    def __init__(self):
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout=None):
        self.waited.append(timeout or 0.0)
        return False


@pytest.fixture
def found(tmp_path):
    """Return a function that writes a timeline and returns a finder."""
    project = shop_project(tmp_path)
    project = replace(project, service={"store": ServiceSpec(name="web", port=80)})

    def make(*records, kube=None):
        timeline = tmp_path / "timeline.jsonl"
        timeline.write_bytes(b"".join(encode_record(each) + b"\n" for each in records))
        objects = [{"apiVersion": "v1", "kind": "Service", **service("web")}]
        objects += [{"apiVersion": "apps/v1", **deployment("web", DATABASE_URL="postgresql://db:5432/x")}]
        return BlameFinder(kube=kube or FakeKube(*objects), project=project, timeline=timeline, canceled=Waits())

    return make


def test_finder_reads_timeline_and_services(found):
    finder = found(*healthy(), ended(reason="OOMKilled", code=137))

    (blame,) = finder([failed(REFUSED, addresses=("http://10.96.0.3/x",))])

    assert (blame.fault, blame.causes[0].service) == ("service", "store")


def test_finder_finds_nothing_without_a_timeline(found):
    finder = found()
    finder.timeline.unlink()

    assert finder([failed(REFUSED, services=("store",))]) == []


def test_finder_uses_the_configuration_if_the_cluster_does_not_answer(found):
    class Silent(FakeKube):
        def objects(self, *args, **more):
            raise EnvironmentFailed("no answer")

    (blame,) = found(*healthy(), ended(), kube=Silent())([failed(REFUSED, addresses=("http://web/x",))])

    assert blame.causes[0].finding.cause == "Crash"


def test_finder_waits_for_late_news_only_if_the_cluster_may_be_the_cause(found):
    finder = found(*healthy())
    finder([failed("assert 1 == 2", end=0)])
    assert finder.canceled.waited == []

    now = (datetime.now(UTC) - NOON).total_seconds()
    finder([failed(REFUSED, end=now), failed("assert 1 == 2", end=now + 100)])
    assert 0 < finder.canceled.waited[0] <= blame_finder._SETTLE_SECONDS


def lease(renewed):
    spec = {"renewTime": renewed.isoformat().replace("+00:00", "Z")}
    meta = {"name": "n1", "namespace": "kube-node-lease"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


@pytest.mark.parametrize(("age", "cause"), [(30, "NodeNotReady"), (-1, None)])
def test_finder_asks_the_lease_of_the_node_after_an_unexplained_timeout(found, age, cause):
    now = datetime.now(UTC)
    web = {"apiVersion": "v1", "kind": "Service", **service("web")}
    finder = found(*healthy(), kube=FakeKube(web, lease(now - timedelta(seconds=age))))
    seconds = (now - NOON).total_seconds()
    test = failed("httpx.ConnectTimeout: timed out", begin=seconds - 9, end=seconds - 2, addresses=("http://web/",))

    (blame,) = finder([test])

    assert [each.finding.cause for each in blame.causes] == ([cause] if cause else [])
