from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from seatrial.image_inputs.delta import Delta
from seatrial.image_inputs.working_tree import read_tree
from seatrial.model.errors import EnvironmentFailed
from seatrial.runner import sync
from seatrial.runner.sync import ChangedMeanwhile, pod_files, submit

from runner.answering_agent import Answers, request


@pytest.mark.parametrize(
    ("answer", "what", "reason", "hint"),
    [
        ({"error": "busy", "reason": "r1"}, "the runner pod is in use by run r1", "another terminal", "Ctrl-C"),
        ({"error": "dead", "reason": "nobody"}, "supervisor in the runner pod has died", "nobody", ""),
        ({"error": "os", "reason": "Permission denied: x"}, "the changed files cannot be written", "denied: x", ""),
        ({"error": "refused", "reason": "'../x'"}, "the changed files cannot be written", "'../x'", ""),
    ],
)
def test_submit_raises_the_error_of_the_agent(
    tmp_path: Path, answer: dict[str, str], what: str, reason: str, hint: str
) -> None:
    with pytest.raises(EnvironmentFailed, match=what) as raised:
        submit(Answers(json.dumps(answer).encode()), request(tmp_path))
    assert reason in raised.value.reason
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("stderr", "reason"), [(b"Traceback\nOSError: no space left\n", "OSError: no space left"), (b"", "exit code 137")]
)
def test_agent_without_an_answer_is_an_error_with_its_last_line(stderr: bytes, reason: str) -> None:
    with pytest.raises(EnvironmentFailed, match="agent in the runner pod does not answer") as raised:
        pod_files(Answers(b"", stderr=stderr, code=137), "/app", ["tests"])
    assert raised.value.reason == reason


def changed(path: Path) -> None:
    path.write_text("newer")


@pytest.mark.parametrize(("change", "message"), [(changed, "changed while"), (Path.unlink, "cannot be read")])
def test_submit_sends_nothing_if_a_file_changed_meanwhile(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    file = tmp_path / "tests" / "test_a.py"
    file.parent.mkdir()
    file.write_text("old")
    tree = read_tree(tmp_path, ["tests"])
    change(file)
    pod = Answers(b"{}")

    with pytest.raises(ChangedMeanwhile, match=message):
        submit(pod, request(tmp_path, tree=tree, delta=Delta(send=("tests/test_a.py",), delete=(), causes=())))
    assert pod.sent == b"", "nothing was sent"


def sent_members(pod: Answers) -> dict[str, tarfile.TarInfo]:
    _, _, archive = pod.sent.partition(b"\n")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: member for member in tar}


def test_submit_sends_links_modes_directories_and_the_cache(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "tests" / "run.sh").chmod(0o755)
    (tmp_path / "tests" / "link").symlink_to("run.sh")
    cached = tmp_path / ".pytest_cache" / "v" / "cache" / "lastfailed"
    cached.parent.mkdir(parents=True)
    cached.write_text("{}")
    tree = read_tree(tmp_path, ["tests"])
    pod = Answers(json.dumps({"files": {}}).encode())
    (tmp_path / "tests" / "empty").mkdir()
    tree = read_tree(tmp_path, ["tests"])

    _, proof = submit(
        pod,
        request(
            tmp_path, tree=tree, delta=Delta(send=("tests/empty", "tests/link", "tests/run.sh"), delete=(), causes=())
        ),
    )

    members = sent_members(pod)
    assert members["tree/tests/link"].linkname == "run.sh"
    assert members["tree/tests/empty"].isdir()
    assert members["tree/tests/run.sh"].mode == 0o755
    assert "cache/v/cache/lastfailed" in members
    assert proof is not None
    assert proof.host != proof.pod, "the pod said that it has none of these files"


def test_submit_does_not_send_a_large_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".pytest_cache").mkdir()
    (tmp_path / ".pytest_cache" / "big").write_bytes(b"x" * 11)
    monkeypatch.setattr(sync, "_CACHE_LIMIT", 10)
    pod = Answers(json.dumps({"files": {}}).encode())

    submit(pod, request(tmp_path))

    assert json.loads(pod.sent)["archive"] is False
