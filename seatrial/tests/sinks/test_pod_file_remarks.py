"""Lines before the verdict: reports, and files that tests created or changed in the pod."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from seatrial.model.result import PodChanges, TreeProof
from seatrial.sinks import words


def test_reports_are_named_by_their_paths(recorded):
    result = replace(recorded("green")[-1].body.result, reports=("/tmp/orders-api/r.html", "/elsewhere/l.txt"))

    assert words.remarks(result)[:2] == ["report: r.html", "report: /elsewhere/l.txt"]


def test_files_that_a_run_changed_in_the_pod_are_named(recorded):
    changes = PodChanges(
        collected=("tests/a.ambr",), created=tuple("abcdefg"), changed=("tests/data.json",), discarded=("tests/x.py",),
        copies="/runs/1/changed",
    )  # fmt: skip
    proof = TreeProof(host="1", pod="1", files=2, kept=("a", "b"))
    result = replace(recorded("green")[-1].body.result, kept=True, tree=proof, pod_changes=changes, stages=())

    assert words.pod_files(result) == [
        "the tests ran with 2 files that only the pod has: a, b",
        "1 file copied from the pod into the working tree: tests/a.ambr",
        "7 files changed in the pod stay there: a, b, c, d, e and 2 more",
        "1 file of the working tree changed in the pod; the next run resets it: tests/data.json",
        "1 file created in the pod that Python or pytest may load; the next run deletes it: tests/x.py",
        "copies: /runs/1/changed; [runner] collect-into-tree can copy them to the working tree",
    ]


@pytest.mark.parametrize("gone", ["environment", "pod"])
def test_files_of_a_pod_that_is_gone_do_not_stay(recorded, gone):
    changes = PodChanges(created=("a",), changed=("b", "c"), stays=gone != "pod")
    result = replace(recorded("green")[-1].body.result, kept=gone == "pod", tree=None, pod_changes=changes)

    assert words.pod_files(result) == [
        "1 file changed in the pod: a",
        "2 files of the working tree changed in the pod: b, c",
    ]


def test_nothing_is_said_of_collected_files_alone_but_their_names(recorded):
    changes = PodChanges(collected=("a",), copies="/runs/1/changed")
    result = replace(recorded("green")[-1].body.result, tree=None, pod_changes=changes)

    assert words.pod_files(result) == ["1 file copied from the pod into the working tree: a"]
