"""What goes wrong between host and pod: each fault has its words, and none of them is a green run."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from seatrial.image_inputs.delta import Delta
from seatrial.image_inputs.working_tree import read_tree
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.model.event import Note
from seatrial.model.names import RunId
from seatrial.ports import Completed, ContainerState, Started, StreamBroken
from seatrial.runner import run_tests, sync
from seatrial.runner.artifacts import collect_files
from seatrial.runner.options import ReportFile
from seatrial.runner.request import Request
from seatrial.runner.sync import ChangedMeanwhile, pod_files, submit

from runner.conftest import Bench
from runner.local_pod import LocalPod


class Answers:
    """A pod whose agent gives one answer, and what it was sent."""

    def __init__(self, stdout: bytes, *, stderr: bytes = b"", code: int = 0) -> None:
        self.answer = (stdout, stderr, code)
        self.sent = b""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        self.sent = stdin
        stdout, stderr, code = self.answer
        return Completed(argv=tuple(argv), code=code, stdout=stdout, stderr=stderr)

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        raise StreamBroken("not here")

    def start(self, argv: Sequence[str], *, container: str = "tests", timeout: float) -> Started:
        raise NotImplementedError

    def relay(self, argv: Sequence[str], *, container: str = "tests") -> int:
        raise NotImplementedError

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        raise NotImplementedError


def request(root: Path, **more: Any) -> Request:
    values: dict[str, Any] = {
        "run": RunId("20260101-000000-0000"),
        "argv": ("pytest",),
        "root": root,
        "directory": "/app",
        "where": "here",
        "deadline": Deadline.after(60),
    }
    return Request(**{**values, **more})


class HomelessPod(LocalPod):
    """A pod whose working directory goes while its supervisor starts."""

    def serve_argv(self) -> Sequence[str]:
        return ("sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", *super().serve_argv())


def test_the_supervisor_outlives_the_directory_it_was_started_in(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    pod = HomelessPod(tmp_path / "pod", sys.executable)
    bench = Bench(root, pod, tmp_path / "runs")
    try:
        pod.wait_ready()
        pod.workdir.mkdir()
        bench.write(test_a_py="def test_a(): pass\n")
        bench.build()

        assert bench.run().verdict.exit == ExitCode.PASSED
    finally:
        pod.close()


# Files to the pod.


@pytest.mark.parametrize(
    ("answer", "what", "reason", "hint"),
    [
        ({"error": "busy", "reason": "r1"}, "the runner pod is in use by run r1", "another terminal", "Ctrl-C"),
        ({"error": "dead", "reason": "nobody"}, "supervisor in the runner pod has died", "nobody", ""),
        ({"error": "os", "reason": "Permission denied: x"}, "the changed files cannot be written", "denied: x", ""),
        ({"error": "refused", "reason": "'../x'"}, "the changed files cannot be written", "'../x'", ""),
    ],
)
def test_what_the_pod_refuses_is_told(
    tmp_path: Path, answer: dict[str, str], what: str, reason: str, hint: str
) -> None:
    with pytest.raises(EnvironmentFailed, match=what) as raised:
        submit(Answers(json.dumps(answer).encode()), request(tmp_path))
    assert reason in raised.value.reason
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("stderr", "reason"), [(b"Traceback\nOSError: no space left\n", "OSError: no space left"), (b"", "exit code 137")]
)
def test_an_agent_that_does_not_answer_is_named_with_its_last_words(stderr: bytes, reason: str) -> None:
    with pytest.raises(EnvironmentFailed, match="agent in the runner pod does not answer") as raised:
        pod_files(Answers(b"", stderr=stderr, code=137), "/app", ["tests"])
    assert raised.value.reason == reason


def changed(path: Path) -> None:
    path.write_text("newer")


@pytest.mark.parametrize(("change", "message"), [(changed, "changed while"), (Path.unlink, "cannot be read")])
def test_a_file_that_changes_while_it_is_sent_is_not_sent(
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
    assert pod.sent == b"", "half a change is none"


def sent_members(pod: Answers) -> dict[str, tarfile.TarInfo]:
    _, _, archive = pod.sent.partition(b"\n")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: member for member in tar}


def test_links_programs_and_the_cache_travel_as_what_they_are(tmp_path: Path) -> None:
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


def test_a_cache_beyond_all_measure_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".pytest_cache").mkdir()
    (tmp_path / ".pytest_cache" / "big").write_bytes(b"x" * 11)
    monkeypatch.setattr(sync, "_CACHE_LIMIT", 10)
    pod = Answers(json.dumps({"files": {}}).encode())

    submit(pod, request(tmp_path))

    assert json.loads(pod.sent)["archive"] is False


# What comes home.


def archive_of(path: Path, members: dict[str, bytes | str]) -> Path:
    """Write an archive; a text is where a symbolic link leads."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_a_member_that_leads_out_is_left_and_told(tmp_path: Path) -> None:
    archive = archive_of(
        tmp_path / "home.tar",
        {"notes.json": b"[]", "artifacts/../../evil": b"x", "artifacts/link": "/etc/passwd", "artifacts/good": b"y"},
    )

    collected = collect_files(archive, request(tmp_path), tmp_path)

    assert collected.artifacts is not None
    assert [path.name for path in collected.artifacts.iterdir()] == ["good"]
    assert len(collected.notes) == 2
    assert "evil" in collected.notes[0]
    assert collected.notes[1] == "not copied from the pod: artifacts/link (links are not copied)"
    assert not (tmp_path.parent / "evil").exists()


def test_half_an_archive_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    archive = tmp_path / "home.tar"
    archive.write_bytes(b"not an archive")

    collected = collect_files(archive, request(tmp_path), tmp_path)

    assert collected.artifacts is None
    assert collected.notes[0].startswith("the archive from the pod could not be unpacked completely")
    assert not archive.exists()


def test_directories_that_options_write_come_home_and_missing_ones_are_told(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "home.tar", {"notes.json": b"[]", "files/0/index.html": b"<p>"})
    wanted = (
        ReportFile("files/0", tmp_path / "out" / "html"),
        ReportFile("files/log.txt", tmp_path / "out" / "log.txt"),
    )

    collected = collect_files(archive, request(tmp_path, files=wanted), tmp_path)

    assert (tmp_path / "out" / "html" / "index.html").read_bytes() == b"<p>"
    assert collected.notes == ("log.txt was not written in the pod",)


@pytest.mark.parametrize("name", ["coverage.xml", ".coverage"])
def test_coverage_data_that_is_none_is_told(tmp_path: Path, name: str) -> None:
    archive = archive_of(tmp_path / "home.tar", {"notes.json": b"[]", f"coverage/{name}": b"<neither"})

    collected = collect_files(archive, request(tmp_path), tmp_path)

    assert collected.coverage is None
    assert collected.notes[0].startswith(f"coverage could not be mapped to the project: {name}")


# The stream of results.


class LostPod(LocalPod):
    """A pod that cannot be reached once a run has begun."""

    gone = False

    def stream(self, argv: Sequence[str], *, container: str = "keeper", silence: float = 60.0) -> Iterator[bytes]:
        if self.gone:
            raise EnvironmentFailed("the cluster's API does not answer")
        yield from super().stream(argv, container=container)

    def state(self) -> ContainerState:
        if self.gone:
            raise EnvironmentFailed("the cluster's API does not answer")
        return super().state()


class TestLost:
    """Nobody answers any more: that ends in time, and never green."""

    @pytest.fixture
    def pod_class(self) -> type[LocalPod]:
        return LostPod

    def test_a_cluster_that_vanishes(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_tests, "_LOST_AFTER", 1.0)
        bench.write(test_a_py="def test_one(): pass\n")
        bench.build()
        assert isinstance(bench.pod, LostPod)
        bench.pod.gone = True

        ran = bench.run(seconds=30)

        assert ran.verdict.exit in (ExitCode.ENVIRONMENT, ExitCode.INCONCLUSIVE)
        assert not ran.verdict.proven
        assert any(isinstance(event, Note) and "broke and is resumed" in event.text for event in bench.events)


class DeafPod(LocalPod):
    """A pod in which nothing can be interrupted but by force, and not even that is heard at first."""

    told: list[bool]

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", container: str = "tests", timeout: float) -> Completed:
        if "interrupt" in argv:
            self.told = [*getattr(self, "told", []), "--kill" in argv]
            if len(self.told) == 1:
                raise StreamBroken("cut")
        return super().run(argv, stdin=stdin, container=container, timeout=timeout)


class TestDeaf:
    """An interrupt that does not arrive is told, and what does not end is killed."""

    @pytest.fixture
    def pod_class(self) -> type[LocalPod]:
        return DeafPod

    def test_it_is_killed_after_its_grace(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run_tests, "_GRACE", 1.0)
        marker, stop = bench.pod.directory / "running", threading.Event()
        bench.write(test_a_py=f"import time\ndef test_one():\n    open({str(marker)!r}, 'w'); time.sleep(60)\n")
        bench.build()

        def when_running() -> None:
            while not marker.exists():
                stop.wait(0.02)
            stop.set()

        waiting = threading.Thread(target=when_running)
        waiting.start()
        ran = bench.run(stop=stop)
        waiting.join()

        assert isinstance(bench.pod, DeafPod)
        assert bench.pod.told == [False, True]
        assert ran.verdict.exit is ExitCode.INTERRUPTED
        assert any(isinstance(event, Note) and "could not be interrupted: cut" in event.text for event in bench.events)


def test_a_gap_in_the_stream_is_asked_for_again(bench: Bench) -> None:
    """What is missing is not papered over: the connection is given up, and the next one brings it."""
    bench.write(test_a_py="def test_one(): pass\n")
    bench.build()
    whole = bench.pod.stream
    asked: list[str] = []

    def stream(argv: Sequence[str], *, container: str = "keeper") -> Iterator[bytes]:
        asked.append(next(word for word in argv if word.startswith("F=")))
        if len(asked) == 1:
            argv = [word.replace("F=0", "F=1") for word in argv]
        yield from whole(argv, container=container)

    bench.pod.stream = stream  # type: ignore[assignment]
    ran = bench.run()

    assert asked == ["F=0", "F=0"]
    assert (ran.verdict.exit, ran.counts.passed, ran.verdict.proven) == (ExitCode.PASSED, 1, True)
    assert any(isinstance(event, Note) and "1 bytes are missing" in event.text for event in bench.events)
