"""Log lines as evidence for findings."""

from __future__ import annotations

from fakes import FakeKube
from seatrial.model.finding import Finding, ObjectRef
from seatrial.watching.log_evidence import not_ready_error, with_log_lines
from seatrial.watching.watch_set import list_snapshot
from shop_world import pod


class TestWithLogLines:
    def finding(self, kind="Pod", name="web-1", container="c", cause="Crash"):
        ref = ObjectRef(kind=kind, name=name, namespace="shop", container=container)
        return Finding(cause=cause, subject=ref, message="it")

    def seen(self, *objects):
        return list_snapshot(FakeKube(*objects), ["v1/Pod", "batch/v1/Job"], ["shop"])

    def test_restarted_container_shows_the_log_before_the_restart(self):
        kube = FakeKube()
        kube.texts = {("web-1", "c", True): b"old\n", ("web-1", "c", False): b"new\n"}

        assert with_log_lines(kube, self.seen(), self.finding()).evidence == ("old",)

    def test_container_that_never_ran_gets_no_log_lines(self):
        kube = FakeKube()
        kube.texts = {("web-1", "c", False): b"new\n"}

        assert with_log_lines(kube, self.seen(), self.finding(cause="ImagePull")).evidence == ()

    def test_workload_shows_the_log_of_its_newest_pod(self):
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "m", "namespace": "shop"}, "spec": {}}
        pods = []
        for index, at in enumerate(("2026-01-02", "2026-01-01")):
            each = pod(f"m-{index}")
            each["metadata"].update(
                creationTimestamp=at, ownerReferences=[{"kind": "Job", "name": "m", "controller": True}]
            )
            pods.append(each)
        kube = FakeKube()
        kube.texts = {("m-0", "c", False): b"newest\n", ("m-1", "c", False): b"older\n"}
        finding = self.finding("Job", "m", "")

        assert with_log_lines(kube, self.seen(job, *pods), finding).evidence == ("newest",)
        assert with_log_lines(kube, self.seen(), finding).evidence == ()
        assert with_log_lines(kube, self.seen(), self.finding(container="")).evidence == ()


def test_not_ready_error_names_the_first_finding_and_its_last_log_line():
    ref = ObjectRef(kind="Pod", name="web-1", namespace="shop")
    findings = [
        Finding(cause="Crash", subject=ref, message="container c ended", evidence=("starting", "no such table")),
        Finding(cause="ImagePull", subject=ref, message="second"),
    ]
    error = not_ready_error(findings)

    assert (error.message, error.reason) == ("pod/web-1: container c ended", "no such table")
    assert list(error.findings) == findings
