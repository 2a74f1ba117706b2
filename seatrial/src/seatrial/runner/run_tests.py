"""Run the tests from the host: submit the run, follow its records, show them, decide the verdict, collect files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from seatrial.diagnose.failed_test import FailedTest
from seatrial.image_inputs import tree_proof as stale
from seatrial.image_inputs.working_tree import Files
from seatrial.interruption import DeferredSignals, Terminated, defer_signals
from seatrial.model.blame import Blame
from seatrial.model.environment_facts import Usage
from seatrial.model.errors import EnvironmentFailed, ExitCode, OutOfTime, SeatrialError
from seatrial.model.event import Body, Note
from seatrial.model.redaction import safe_struct
from seatrial.model.result import Counts, PodChanges, TreeProof
from seatrial.model.verdict import Verdict
from seatrial.pod.agent.wire import CHANNELS, ChunkKind
from seatrial.ports import ContainerState, PodExec, Started, StreamBroken
from seatrial.runner import blocking_calls
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.archive import deliver
from seatrial.runner.artifacts import CollectedFiles, collect_files
from seatrial.runner.decoder import Malformed, decode_exited
from seatrial.runner.pod_changes import applied, sort_changes
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import LARGEST, Chunk, ChunkReader, FrameReader, Garbled
from seatrial.runner.renderer_process import RendererProcess
from seatrial.runner.request import Request
from seatrial.runner.sync import Submitted, submit
from seatrial.runner.verdict_remarks import not_shown, unmapped_files, with_blame, with_kept
from seatrial.runner.verdict_rules import Evidence, decide

__all__ = ["Request", "TestRun", "run_tests"]

_FILES: Final = {**CHANNELS, ChunkKind.OUTPUT: "runner-output.log"}
"""Kinds of chunks with the contents of files, and the files of the run that keep them."""

_BACKOFF: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_STALLED: Final = 10.0
"""Seconds without a byte after which a connection is replaced: heartbeats are sent twice a second."""
_LOST_AFTER: Final = 60.0
"""Seconds without a byte on any connection after which the runner is given up."""
_SILENT: Final = 1.5
"""The same after Ctrl-C, SIGTERM or the timeout of the tests."""
_GRACE: Final = 10.0
"""Seconds from the interruption of pytest to its kill."""
_SHORT_GRACE: Final = 3.0
"""The same after SIGTERM: most senders kill seatrial after 10 s."""
_GATHERING: Final = 60.0
"""Seconds for container `keeper` to collect the files of a dead container `tests`."""
_KILL_SECONDS: Final = 1.0
"""Seconds to wait for the pod to kill an abandoned run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """A finished test run.

    Attributes:
        verdict: its exit code and why.
        counts: tests by outcome.
        pytest_exit: exit code of pytest; None if unknown.
        tree: proof that the code that ran is the working tree; None if files were not compared.
        files: the pod's files below the compared paths, after the run.
        pod_changes: files that the tests changed there; None: none, or unknown.
        frames: number of valid frames of its log.
        seconds: duration by pytest's clock.
        usage: what the container `tests` used until the end of the tests.
        collected: the collected files.
        blames: whose fault the failed tests are.
        interrupted: the exception to raise because the user interrupted the tests; None if not.
    """

    __test__ = False

    verdict: Verdict
    counts: Counts = field(default_factory=Counts)
    pytest_exit: int | None = None
    tree: TreeProof | None = None
    files: Files = field(default_factory=dict)
    pod_changes: PodChanges | None = None
    frames: int = 0
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    collected: CollectedFiles = field(default_factory=CollectedFiles)
    blames: tuple[Blame, ...] = ()
    interrupted: KeyboardInterrupt | None = None


def run_tests(
    exec_: PodExec,
    request: Request,
    *,
    emit: Callable[[Body], None],
    state: Callable[[], ContainerState],
    host_args: Sequence[str] = (),
    run_dir: Path,
    out: TextIO,
    stop: threading.Event | None = None,
    started: Started | None = None,
    cut: Callable[[TestRun], None] | None = None,
    blame: Callable[[Sequence[FailedTest]], Sequence[Blame]] = lambda _: (),
    began: Callable[[], None] = lambda: None,
) -> TestRun:
    """Run the tests, show pytest's output on `out`, and return the result.

    Args:
        exec_: commands in the pod.
        request: the test run.
        emit: takes the events.
        state: returns the state of the container `tests`.
        host_args: arguments for the host-side renderer's pytest.
        run_dir: directory for the logs and the collected files.
        out: takes pytest's output; the renderer writes directly to a real file such as `sys.stdout`.
        stop: set by another thread to interrupt the tests.
        started: a waiting `submit` command of the agent; None: start one.
        cut: takes the incomplete result if an exception is raised.
        blame: returns whose fault the failed tests are. Called once, before pytest's summary is shown.
        began: called once the pod runs the tests; it must return at once.

    The first Ctrl-C interrupts the tests, as it does without seatrial. The second one kills them, the third one raises.
    SIGTERM does the same, with less time for the tests to end. The result has everything that was reported before.

    Raises:
        PodDiffers: the pod's files are not those that the delta was planned for.
        EnvironmentFailed: the run could not be started.
        OutOfTime: the run was not started before its deadline.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    for name in _FILES.values():
        (run_dir / name).write_bytes(b"")
    # First of all: starting the renderer takes as much processor time as starting the tests.
    submitted = _submit(exec_, request, started)
    with RendererProcess(request.run, request, run_dir=run_dir, out=out, host_args=host_args) as renderer:
        follower = _Follower(
            exec_, request, emit=emit, state=state, run_dir=run_dir, renderer=renderer, blame=blame,
            stop=stop or threading.Event(),
        )  # fmt: skip
        began()
        return follower.result(submitted, cut)


def _submit(exec_: PodExec, request: Request, started: Started | None) -> Submitted:
    """Start the run; kill it if the agent does not answer."""
    try:
        return blocking_calls.call(lambda: submit(exec_, request, started), until=lambda: request.deadline.passed)
    except blocking_calls.Abandoned:
        _end_run(exec_, request)
        raise OutOfTime("starting the tests timed out", reason="the runner pod did not answer") from None
    except KeyboardInterrupt:
        _end_run(exec_, request)
        raise


def _end_run(exec_: PodExec, request: Request) -> None:
    """Kill an abandoned run if the pod answers soon; else the agent kills it once no client follows it."""
    argv = agent_argv("interrupt", request.run, "--kill", python=request.python, entry=request.entry)
    with suppress(blocking_calls.Abandoned, StreamBroken, SeatrialError):
        blocking_calls.call(lambda: exec_.run(argv, container="keeper", timeout=_GRACE), seconds=_KILL_SECONDS)


class _Follower:
    """Follows one test run until it ends or is given up."""

    def __init__(
        self,
        exec_: PodExec,
        request: Request,
        *,
        emit: Callable[[Body], None],
        state: Callable[[], ContainerState],
        run_dir: Path,
        renderer: RendererProcess,
        blame: Callable[[Sequence[FailedTest]], Sequence[Blame]],
        stop: threading.Event,
    ) -> None:
        self.exec = exec_
        self.request = request
        self.emit = emit
        self.state = state
        self.renderer = renderer
        self.blame = blame
        self.blames: tuple[Blame, ...] | None = None
        self.stop = stop
        self.signals = DeferredSignals()
        self.paths = {kind: run_dir / name for kind, name in _FILES.items()}
        self.run_dir = run_dir
        self.sizes = dict.fromkeys(self.paths, 0)
        self.frames = FrameReader()
        self.progress = Progress()
        self.exited: dict[str, Any] | None = None
        self.exited_at = 0.0
        self.died_at = 0.0
        self.why_not_collected = "the runner did not answer in time"
        self.lost = False
        self.silent = False
        self.done = False
        self.heard = time.monotonic()
        self.interrupted_by_user = False
        self.out_of_time = False
        self.interrupted_at = 0.0
        self.killed_at = 0.0
        self.attached = 0
        self.exceeded: set[str] = set()

    def result(self, submitted: Submitted, cut: Callable[[TestRun], None] | None) -> TestRun:
        with defer_signals(self.stop, limit=2) as self.signals:
            try:
                self.follow()
                return self.outcome(submitted)
            except BaseException as error:
                if self.exited is None:
                    _end_run(self.exec, self.request)
                verdict = Verdict(
                    exit=ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.INCONCLUSIVE,
                    message="the run was aborted", reason=str(error) or type(error).__name__,
                    suspects=tuple(self.progress.running),
                )  # fmt: skip
                if cut is not None:
                    cut(self._outcome(verdict, submitted, CollectedFiles()))
                raise

    # Following.

    @property
    def over(self) -> bool:
        return self.done or self.lost

    def follow(self) -> None:
        """Read the stream until its end; reconnect at the same byte whenever the connection breaks."""
        failures = 0
        while not self.over:
            before = self.heard
            try:
                self.read_tail()
            except (StreamBroken, Garbled, EnvironmentFailed) as error:
                failures = 0 if self.heard > before else failures + 1
                self.emit(Note(level="debug", text=f"the stream of results broke and is resumed: {error}"))
                self.check_pod()
                self.watch()
                # Reconnect without delay once the run is to end.
                time.sleep(_BACKOFF[0] if self.interrupted_at else _BACKOFF[min(failures, len(_BACKOFF) - 1)])

    def read_tail(self) -> None:
        reader = ChunkReader()
        try:
            self.read_chunks(reader)
        finally:
            # Keep the part of a chunk, so that a connection that breaks often makes progress.
            if rest := reader.rest():
                self.take(rest)

    def read_chunks(self, reader: ChunkReader) -> None:
        offsets = [f"{kind}={size}" for kind, size in self.sizes.items()]
        argv = agent_argv("tail", self.request.run, *offsets, python=self.request.python, entry=self.request.entry)
        opened = time.monotonic()
        stream = blocking_calls.pieces(lambda: self.exec.stream(argv, container="keeper"))
        with closing(stream):
            for data in stream:
                for chunk in reader.feed(data):
                    self.take(chunk)
                self.watch()
                if self.over:
                    return
                if not data and time.monotonic() - max(self.heard, opened) > _STALLED:
                    raise StreamBroken(f"silent for {_STALLED:.0f} s")
        raise StreamBroken("the stream of results ended before the run")

    def check_pod(self) -> None:
        """Give up if the pod was deleted. If only container `tests` ended, `keeper` may still have the rest."""
        with suppress(EnvironmentFailed, blocking_calls.Abandoned):
            container = blocking_calls.call(self.state, until=self.stop.is_set, seconds=_SILENT)
            self.lost = self.lost or container.state == "gone"

    def take(self, chunk: Chunk) -> None:
        if chunk.kind != ChunkKind.BEGUN:
            # Every connection begins with a chunk of this kind.
            self.heard = time.monotonic()
        if chunk.kind in self.paths:
            self.append(chunk)
        elif chunk.kind == ChunkKind.TICK:
            if self.progress.end is not None:
                self.find_blame()
            self.renderer.tick(frames=self.sizes[ChunkKind.FRAMES], output=self.sizes[ChunkKind.OUTPUT])
            if self.progress.debugger > self.attached and self.request.interactive:
                self.attached = self.progress.debugger
                self.debug()
        elif chunk.kind == ChunkKind.EXITED:
            try:
                self.exited, self.exited_at = msgspec.structs.asdict(decode_exited(chunk.data)), time.monotonic()
            except Malformed as error:
                self.emit(Note(level="warning", text=f"the exit of the test command is unknown: {error}"))
                self.lost = True
        elif chunk.kind == ChunkKind.LOST:
            self.died_at = self.died_at or time.monotonic()
        elif chunk.kind == ChunkKind.DONE and chunk.data:
            self.why_not_collected = chunk.data.decode("utf-8", "replace")
            self.lost = True
        elif chunk.kind == ChunkKind.DONE:
            self.done = True

    def append(self, chunk: Chunk) -> None:
        """Write a chunk to its place in the file; bytes that arrived before are skipped."""
        have = self.sizes[chunk.kind]
        if chunk.offset > have:
            raise Garbled(f"{chunk.offset - have} bytes are missing")
        data = chunk.data[have - chunk.offset :]
        if not data:
            return
        if have + len(data) > LARGEST[chunk.kind]:
            self.exceed(chunk.kind)
            self.sizes[chunk.kind] = have + len(data)
            return
        with self.paths[chunk.kind].open("r+b") as file:
            file.seek(have)
            file.write(data)
        self.sizes[chunk.kind] = have + len(data)
        if chunk.kind == ChunkKind.FRAMES:
            for frame in self.frames.feed(data):
                for body in self.progress.take(frame, datetime.now(UTC)):
                    self.emit(body)

    def exceed(self, kind: str) -> None:
        """Drop the rest of a file that is larger than its limit."""
        limit = f"{_FILES[kind]} from the pod is larger than {LARGEST[kind] >> 30} GiB"
        if kind not in self.exceeded:
            self.exceeded.add(kind)
            self.emit(Note(level="warning", text=f"{limit}; the rest is dropped"))
        if kind == ChunkKind.FRAMES:
            self.frames.reject(limit)

    def find_blame(self) -> None:
        """Find out once, before the end of the session is shown, whose fault the failed tests are."""
        if self.blames is None:
            failures = tuple(self.progress.failures.values())
            found = self.blame(failures) if failures and not self.interrupted_by_user else ()
            self.blames = tuple(safe_struct(each) for each in found)
            if self.blames:
                self.renderer.blame(self.blames, until=lambda: self.stop.is_set() and self.signals.count > 1)

    # Ending.

    def watch(self) -> None:
        """Interrupt, kill or give up the run when it is time."""
        now = time.monotonic()
        if self.stop.is_set() and not self.interrupted_by_user:
            self.interrupted_by_user = True
            self.interrupt()
        if self.request.deadline.passed and not (self.exited or self.died_at or self.interrupted_at):
            self.out_of_time = True
            self.emit(Note(level="warning", text="the tests timed out and are interrupted"))
            self.interrupt()
        is_late = bool(self.interrupted_at) and (self.signals.count > 1 or now - self.interrupted_at > self.grace)
        if is_late and not (self.exited or self.killed_at):
            self.killed_at = now
            self.interrupt("--kill")
        if self.is_silent(now) or self.is_overdue(now):
            self.lost = True

    @property
    def grace(self) -> float:
        return _SHORT_GRACE if self.signals.first is Terminated else _GRACE

    def is_silent(self, now: float) -> bool:
        """Whether the runner sends no heartbeats any more, for example because its node is paused."""
        since, limit = (
            (max(self.heard, self.interrupted_at), _SILENT) if self.interrupted_at else (self.heard, _LOST_AFTER)
        )
        self.silent = now - since > limit
        return self.silent

    def is_overdue(self, now: float) -> bool:
        """Whether a run that is to end takes too long although the runner answers."""
        if self.died_at:
            return now - self.died_at > (_SILENT if self.interrupted_at else _GATHERING)
        if self.exited is None:
            return bool(self.killed_at) and now - self.killed_at > self.grace
        if self.interrupted_at:
            # The agent collects files. If the user interrupted that, it ends soon.
            return now - max(self.exited_at, self.interrupted_at) > (
                self.grace if self.exited_at > self.interrupted_at else _SILENT
            )
        return self.request.deadline.passed and now - self.exited_at > _GRACE

    def interrupt(self, *flags: str) -> None:
        """Interrupt or kill the tests without waiting for an answer of the pod."""
        self.interrupted_at = self.interrupted_at or time.monotonic()
        argv = agent_argv("interrupt", self.request.run, *flags, python=self.request.python, entry=self.request.entry)

        def work() -> None:
            try:
                self.exec.run(argv, container="keeper", timeout=_GRACE)
            except (StreamBroken, SeatrialError, OSError) as error:
                if not self.over:
                    self.emit(Note(level="warning", text=f"the tests could not be interrupted: {error}"))

        threading.Thread(target=work, name="seatrial-interrupt", daemon=True).start()

    def ended_container(self) -> ContainerState | None:
        """Return the container's state; wait up to 5 s until Kubernetes has noticed its end."""
        deadline, container = self.request.deadline.grace(_SILENT if self.silent else 5.0), None
        with suppress(blocking_calls.Abandoned, EnvironmentFailed):
            while True:
                container = blocking_calls.call(self.state, seconds=deadline.left)
                if container.state in ("terminated", "gone") or deadline.passed:
                    break
                time.sleep(0.2)
        return container

    def debug(self) -> None:
        """Connect the user's terminal to the debugger in the pod."""
        self.renderer.wait_for_debugger()
        argv = agent_argv("attach", self.request.run, python=self.request.python, entry=self.request.entry)
        self.exec.attach(argv, container="tests")
        self.renderer.resume()

    def outcome(self, submitted: Submitted) -> TestRun:
        if self.interrupted_at and self.exited is None and not self.silent:
            _end_run(self.exec, self.request)
        evidence = Evidence(
            progress=self.progress,
            broken=self.frames.broken,
            exited=self.exited,
            container=self.ended_container() if self.exited is None and not self.interrupted_at else None,
            silent=self.silent,
            informational=self.request.informational,
            interrupted=self.interrupted_by_user,
            out_of_time=self.out_of_time,
            stale=stale.reason(self.request.tree, self.request.directory, self.progress.imports, submitted.proof),
        )
        self.find_blame()
        verdict = with_blame(with_kept(decide(evidence), submitted.proof), self.blames or (), self.progress)
        began = time.monotonic()
        # A pager or terminal may halt the output, and writing a long JUnit file takes time.
        lost = self.renderer.end(
            verdict,
            frames=self.frames.frames,
            until=lambda: self.stop.is_set() and (self.signals.count > 1 or time.monotonic() - began > self.grace),
        )
        if lost and not self.stop.is_set():
            verdict = not_shown(verdict, lost)
        if self.done:
            collected = collect_files(self.paths[ChunkKind.COLLECTED], self.request, self.run_dir)
        else:
            collected = CollectedFiles(notes=(f"files of the run were not collected: {self.why_not_collected}",))
        return self._outcome(verdict, submitted, collected)

    def _sorted(self, collected: CollectedFiles) -> PodChanges | None:
        tree = self.request.tree
        if collected.changes is None or tree is None:
            return None
        stays = self.exited is not None
        return sort_changes(collected.changes, tree, collected.in_tree, stays=stays, copies=collected.copies)

    def _outcome(self, verdict: Verdict, submitted: Submitted, collected: CollectedFiles) -> TestRun:
        exited, end = self.exited or {}, self.progress.end
        written = self.run_dir / "junit.xml"
        notes: list[str] = []
        if self.request.junit is not None and written.exists():
            notes = deliver(written, self.request.junit, root=self.request.root)
        for note in (*notes, *collected.notes, *unmapped_files(collected.coverage)):
            self.emit(Note(level="warning", text=note))
        return TestRun(
            verdict=verdict,
            counts=self.progress.counts,
            pytest_exit=end.exit if end else exited.get("code"),
            tree=submitted.proof,
            files=applied(submitted.files, collected.changes),
            pod_changes=self._sorted(collected),
            frames=self.frames.frames,
            seconds=end.seconds if end else 0.0,
            usage=exited.get("usage", Usage()),
            collected=collected,
            blames=self.blames or (),
            interrupted=self.signals.first() if self.signals.first else None,
        )
