from __future__ import annotations

from seatrial.model.blame import Blame, Cause, Fault, blame_lines, blame_summary, is_platform_only
from seatrial.model.finding import Finding, ObjectRef

OOM = Finding(
    cause="OOMKilled",
    subject=ObjectRef(kind="Pod", name="polaris-0", container="polaris"),
    message="container polaris exceeded its memory limit of 512Mi",
    brief="OOMKilled at 512Mi",
)


def cause(word="caused by", fault=Fault.SERVICE, finding=OOM, seconds=3.4):
    links = ("the test asked for service polaris", "the test failed by: refused")
    return Cause(word=word, fault=fault, finding=finding, service="polaris", seconds=seconds, links=links)


def blame(*causes, nodeid="a"):
    return Blame(nodeid=nodeid, fault=causes[0].fault if causes else Fault.TEST, causes=causes)


def test_blame_lines_say_cause_and_evidence():
    assert blame_lines(blame(cause())) == [
        f"caused by service: pod/polaris-0 container polaris: OOMKilled: {OOM.message}, 3 s before",
        "evidence: the test asked for service polaris; the test failed by: refused",
    ]
    assert blame_lines(blame()) == []


def test_blame_summary_counts_faults_and_names_each_cause_once():
    assert blame_summary([blame(), blame(cause())]) == (
        "2 failed: 1 test, 1 service (polaris OOMKilled at 512Mi, 3 s before)"
    )
    many = [blame(cause()), blame(cause()), blame(cause(fault=Fault.PLATFORM)), blame(cause(word="coincided with"))]
    assert blame_summary(many) == (
        "4 failed: 2 service (polaris OOMKilled at 512Mi, 3 s before), 1 platform (polaris OOMKilled at 512Mi, "
        "3 s before), 1 unclear (coincided with polaris OOMKilled at 512Mi, 3 s before)"
    )


def test_blame_summary_is_empty_without_problems_in_the_cluster():
    assert blame_summary([blame(), blame()]) == ""


def test_blame_summary_rounds_short_times():
    assert blame_summary([blame(cause(seconds=0.4))]).endswith("less than 1 s before)")


def test_platform_only_requires_that_every_failure_is_proven():
    node = cause(fault=Fault.PLATFORM)

    assert is_platform_only([blame(node), blame(node)])
    assert not is_platform_only([])
    assert not is_platform_only([blame(node), blame()])
    assert not is_platform_only([blame(node), blame(cause())])
    assert not is_platform_only([blame(cause(word="coincided with", fault=Fault.PLATFORM))])
