"""Files of the runner pod come from the saved state of the same pod, and else from the pod."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fakes import FakeExec
from msgspec.structs import replace
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.image_inputs.working_tree import Entry, Tree
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, OutOfTime
from seatrial.runner.sync import PodFiles
from seatrial.runner_pod import known_files
from seatrial.runner_pod.known_files import KnownFiles, require_runner
from seatrial.saved_state import RunnerRecord, read_runner, write_runner

RUNNER = RunnerRecord(
    reference="t:1", image="sha256:t", uid="u", places=("tests",), manifest=ImageManifest(dockerfile="")
)
A, MADE = Entry("f", 0o644, 1, "a"), Entry("f", 0o644, 1, "m")


@pytest.fixture
def pod(monkeypatch):
    """Return the files in the pod, and count how often they are read."""
    found = PodFiles({"tests/a.py": A}, {"tests/a.py": A})
    reads = []
    monkeypatch.setattr(known_files, "pod_files", lambda *asked: reads.append(asked[2]) or found)
    return reads


@pytest.fixture
def known(tmp_path):
    write_runner(tmp_path, RUNNER)
    return KnownFiles(exec_=FakeExec(), workdir="/app", directory=tmp_path, deadline=Deadline.after(5))


def tree(**files):
    wanted = {name.replace("__", "/") + ".py": entry for name, entry in files.items()}
    return Tree(Path(), ("tests",), wanted, wanted, {}, {})


def test_files_are_read_from_the_pod_without_a_saved_state(known, pod):
    assert known.saved() == PodFiles({"tests/a.py": A}, {"tests/a.py": A}, frozenset())
    assert pod == [("tests",)]


def test_saved_files_are_not_read_from_the_pod(known, pod):
    known.read()
    known.save({"tests/a.py": A, "tests/made.py": MADE}, tree(tests__a=A))
    pod.clear()
    saved = known.saved()

    assert (saved.files, saved.seeded) == ({"tests/a.py": A, "tests/made.py": MADE}, {"tests/a.py": A})
    assert list(saved.created) == ["tests/made.py"]
    assert pod == []


def test_saved_files_of_another_pod_are_not_used(known, pod, tmp_path):
    known.save({}, tree())
    write_runner(tmp_path, replace(RUNNER, uid="another"))

    assert known.saved().files == {"tests/a.py": A}


def test_pod_that_does_not_answer_times_out(known, monkeypatch):
    block = threading.Event()
    monkeypatch.setattr(known_files, "pod_files", lambda *_: block.wait())
    known.deadline = Deadline.after(0.1)

    with pytest.raises(OutOfTime, match="did not start in time"):
        known.read()
    block.set()


def test_broken_pod_is_recorded(known, tmp_path):
    known.mark_broken()

    assert read_runner(tmp_path) == replace(RUNNER, broken=True)


def test_missing_record_of_the_pod_is_an_error(tmp_path):
    with pytest.raises(EnvironmentFailed, match="record of the runner pod is missing"):
        require_runner(tmp_path)
