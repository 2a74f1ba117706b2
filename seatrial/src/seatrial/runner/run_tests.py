"""Run the tests from the host: submit the run, follow its records, show them, conclude, collect files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from seatrial.image_inputs import tree_proof as stale
from seatrial.image_inputs.working_tree import Files
from seatrial.interruption import DeferredSignals, Terminated, defer_signals
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, ExitCode, OutOfTime, SeatrialError
from seatrial.model.event import Body, Note
from seatrial.model.result import Counts, PodChanges, TreeProof
from seatrial.model.verdict import Verdict
from seatrial.pod.agent.wire import CHANNELS, ChunkKind
from seatrial.ports import ContainerState, PodExec, Started, StreamBroken
from seatrial.runner import blocking_calls
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.archive import deliver
from seatrial.runner.artifacts import CollectedFiles, collect_files
from seatrial.runner.coverage import CollectedCoverage
from seatrial.runner.decoder import Malformed, decode_exited
from seatrial.runner.pod_changes import applied, sort_changes
from seatrial.runner.progress import Progress
from seatrial.runner.protocol import LARGEST, Chunk, ChunkReader, FrameReader, Garbled
from seatrial.runner.renderer_process import RendererProcess
from seatrial.runner.request import Request
from seatrial.runner.sync import Submitted, submit
from seatrial.runner.verdict_rules import Evidence, decide

__all__ = ["Request", "TestRun", "run_tests"]

_FILES: Final = {**CHANNELS, ChunkKind.OUTPUT: "runner-output.log"}
"""What the tail of a run tells, by its kind, and the file where it is kept."""

_NAMED: Final = 3
"""Files that a warning names."""
_BACKOFF: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_STALLED: Final = 10.0
"""Seconds without any byte on one connection after which another one is made: heartbeats come twice a second."""
_LOST_AFTER: Final = 60.0
"""Seconds without any byte, over all connections, after which the runner counts as lost."""
_SILENT: Final = 1.5
"""The same once the run is to end: by Ctrl-C, SIGTERM or its time-out."""
_GRACE: Final = 10.0
"""Seconds that pytest gets to end after an interrupt, before it is killed."""
_SHORT_GRACE: Final = 3.0
"""The same after SIGTERM: its sender kills the whole process soon, after 10 s mostly."""
_GATHERING: Final = 60.0
"""Seconds that container `keeper` gets to gather what a dead container `tests` left."""
_FAREWELL: Final = 1.0
"""Seconds to end a run that nobody follows any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """A finished test run.

    Attributes:
        verdict: its exit code and why.
        counts: tests by outcome.
        pytest_exit: what pytest itself ended with; None if nobody knows.
        tree: proof that what ran was the working tree; None if there was nothing to compare.
        files: what the pod has below the paths that were compared, after the run.
        pod_changes: what the tests changed there; None: nothing, or unknown.
        frames: how many frames of its log arrived whole.
        seconds: how long pytest took, by its own clock.
        memory_peak: bytes, of the container `tests`; 0 if unknown.
        collected: the collected files.
        interrupted: what ends the process because the user interrupted the tests; None if nobody did.
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
    memory_peak: int = 0
    collected: CollectedFiles = field(default_factory=CollectedFiles)
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
) -> TestRun:
    """Run the tests, show pytest's output on `out` while it comes, and return the outcome.

    Args:
        exec_: commands in the pod.
        request: what to run.
        emit: takes the events.
        state: asks Kubernetes for the container `tests`.
        host_args: arguments for the pytest that shows the results.
        run_dir: where the logs and the collected files are written.
        out: where pytest's output goes; a real file (`sys.stdout`) is written to directly.
        stop: set it to interrupt the tests from another thread.
        started: the command that takes the run, if it waits in the pod already.
        cut: takes what is known of the run if an exception ends it.

    The first Ctrl-C interrupts the tests as it does locally, the second one kills them; SIGTERM does the same, with
    less time for the tests to end. In both cases the outcome has all that was reported. The third one raises.

    Raises:
        PodDiffers: the pod does not have the files that the delta was planned for.
        EnvironmentFailed: the run could not be started.
        OutOfTime: the run was not started before its deadline.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    for name in _FILES.values():
        (run_dir / name).write_bytes(b"")
    # Before anything else: what shows the results takes a processor for as long as the tests need to start.
    submitted = _submit(exec_, request, started)
    with RendererProcess(request.run, request, run_dir=run_dir, out=out, host_args=host_args) as renderer:
        session = _Session(
            exec_, request, emit=emit, state=state, run_dir=run_dir, renderer=renderer, stop=stop or threading.Event()
        )
        return session.result(submitted, cut)


def _submit(exec_: PodExec, request: Request, started: Started | None) -> Submitted:
    """Start the run; one that may have been started without an answer is ended."""
    try:
        return blocking_calls.call(lambda: submit(exec_, request, started), until=lambda: request.deadline.passed)
    except blocking_calls.Abandoned:
        _end_run(exec_, request)
        raise OutOfTime("the run was not started in its time", reason="the runner pod did not answer") from None
    except KeyboardInterrupt:
        _end_run(exec_, request)
        raise


def _end_run(exec_: PodExec, request: Request) -> None:
    """Kill a run that nobody will follow, if the pod answers soon; else the agent ends it, as nobody watches it."""
    argv = agent_argv("interrupt", request.run, "--kill", python=request.python, entry=request.entry)
    with suppress(blocking_calls.Abandoned, StreamBroken, SeatrialError):
        blocking_calls.call(lambda: exec_.run(argv, container="keeper", timeout=_GRACE), seconds=_FAREWELL)


class _Session:
    """The state of one run on the host."""

    def __init__(
        self,
        exec_: PodExec,
        request: Request,
        *,
        emit: Callable[[Body], None],
        state: Callable[[], ContainerState],
        run_dir: Path,
        renderer: RendererProcess,
        stop: threading.Event,
    ) -> None:
        self.exec = exec_
        self.request = request
        self.emit = emit
        self.state = state
        self.renderer = renderer
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
        self.interrupted = False
        self.out_of_time = False
        self.told_at = 0.0
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
                    message="the run was cut off", reason=str(error) or type(error).__name__,
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
        """Read the tail until all is said; again from the same byte whenever the connection breaks."""
        failures = 0
        while not self.over:
            before = self.heard
            try:
                self.read_tail()
            except (StreamBroken, Garbled, EnvironmentFailed) as error:
                failures = 0 if self.heard > before else failures + 1
                self.emit(Note(level="debug", text=f"the stream of results broke and is resumed: {error}"))
                self.look_for_pod()
                self.watch()
                # Once the run is to end, each moment counts.
                time.sleep(_BACKOFF[0] if self.told_at else _BACKOFF[min(failures, len(_BACKOFF) - 1)])

    def read_tail(self) -> None:
        reader = ChunkReader()
        try:
            self.read_chunks(reader)
        finally:
            # A connection that breaks often must get on too, however large the pieces are.
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
        raise StreamBroken("the stream of results ended before they did")

    def look_for_pod(self) -> None:
        """Give up if there is no pod any more. Even if `tests` ended, the keeper may still have the rest."""
        with suppress(EnvironmentFailed, blocking_calls.Abandoned):
            container = blocking_calls.call(self.state, until=self.stop.is_set, seconds=_SILENT)
            self.lost = self.lost or container.state == "gone"

    def take(self, chunk: Chunk) -> None:
        if chunk.kind != ChunkKind.BEGUN:
            # Every connection begins with that one.
            self.heard = time.monotonic()
        if chunk.kind in self.paths:
            self.append(chunk)
        elif chunk.kind == ChunkKind.TICK:
            self.renderer.tick(frames=self.sizes[ChunkKind.FRAMES], output=self.sizes[ChunkKind.OUTPUT])
            if self.progress.debugger > self.attached and self.request.interactive:
                self.attached = self.progress.debugger
                self.debug()
        elif chunk.kind == ChunkKind.EXITED:
            try:
                self.exited, self.exited_at = msgspec.structs.asdict(decode_exited(chunk.data)), time.monotonic()
            except Malformed as error:
                self.emit(Note(level="warning", text=f"how the command ended is not known: {error}"))
                self.lost = True
        elif chunk.kind == ChunkKind.LOST:
            self.died_at = self.died_at or time.monotonic()
        elif chunk.kind == ChunkKind.DONE and chunk.data:
            self.why_not_collected = chunk.data.decode("utf-8", "replace")
            self.lost = True
        elif chunk.kind == ChunkKind.DONE:
            self.done = True

    def append(self, chunk: Chunk) -> None:
        """Write down what came, in its place; what came twice only once."""
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
                for body in self.progress.take(frame):
                    self.emit(body)

    def exceed(self, kind: str) -> None:
        """Keep no more of a file that is larger than any run needs."""
        limit = f"{_FILES[kind]} from the pod is larger than {LARGEST[kind] >> 30} GiB"
        if kind not in self.exceeded:
            self.exceeded.add(kind)
            self.emit(Note(level="warning", text=f"{limit}; the rest is dropped"))
        if kind == ChunkKind.FRAMES:
            self.frames.reject(limit)

    # Ending.

    def watch(self) -> None:
        """Judge by the clock what is to be interrupted, killed or given up."""
        now = time.monotonic()
        if self.stop.is_set() and not self.interrupted:
            self.interrupted = True
            self.tell()
        if self.request.deadline.passed and not (self.exited or self.died_at or self.told_at):
            self.out_of_time = True
            self.emit(Note(level="warning", text="the tests are out of time and are interrupted"))
            self.tell()
        is_late = bool(self.told_at) and (self.signals.count > 1 or now - self.told_at > self.grace)
        if is_late and not (self.exited or self.killed_at):
            self.killed_at = now
            self.tell("--kill")
        if self.is_silent(now) or self.is_overdue(now):
            self.lost = True

    @property
    def grace(self) -> float:
        return _SHORT_GRACE if self.signals.first is Terminated else _GRACE

    def is_silent(self, now: float) -> bool:
        """Whether the runner counts as lost. Heartbeats are judged by the clock: a node that is paused sends none."""
        since, limit = (max(self.heard, self.told_at), _SILENT) if self.told_at else (self.heard, _LOST_AFTER)
        self.silent = now - since > limit
        return self.silent

    def is_overdue(self, now: float) -> bool:
        """Whether a run that is to end takes too long, although the runner answers."""
        if self.died_at:
            return now - self.died_at > (_SILENT if self.told_at else _GATHERING)
        if self.exited is None:
            return bool(self.killed_at) and now - self.killed_at > self.grace
        if self.told_at:
            # Files are collected, for as long as pytest might have taken; if only that was interrupted, at once.
            return now - max(self.exited_at, self.told_at) > (self.grace if self.exited_at > self.told_at else _SILENT)
        return self.request.deadline.passed and now - self.exited_at > _GRACE

    def tell(self, *flags: str) -> None:
        """Interrupt or kill the tests, without waiting for the pod to answer."""
        self.told_at = self.told_at or time.monotonic()
        argv = agent_argv("interrupt", self.request.run, *flags, python=self.request.python, entry=self.request.entry)

        def work() -> None:
            try:
                self.exec.run(argv, container="keeper", timeout=_GRACE)
            except (StreamBroken, SeatrialError, OSError) as error:
                if not self.over:
                    self.emit(Note(level="warning", text=f"the tests could not be interrupted: {error}"))

        threading.Thread(target=work, name="seatrial-interrupt", daemon=True).start()

    def ended_container(self) -> ContainerState | None:
        """Return the container's state once Kubernetes has noticed that it ended, which takes it a moment."""
        deadline, container = Deadline.after(_SILENT if self.silent else 5.0), None
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
        if self.told_at and self.exited is None and not self.silent:
            _end_run(self.exec, self.request)
        evidence = Evidence(
            progress=self.progress,
            broken=self.frames.broken,
            exited=self.exited,
            container=self.ended_container() if self.exited is None and not self.told_at else None,
            silent=self.silent,
            informational=self.request.informational,
            interrupted=self.interrupted,
            out_of_time=self.out_of_time,
            stale=stale.reason(self.request.tree, self.request.directory, self.progress.imports, submitted.proof),
        )
        verdict = _with_kept(decide(evidence), submitted.proof)
        began = time.monotonic()
        # The reader of our output may be halted: a pager, a terminal. A long JUnit file takes its time, too.
        lost = self.renderer.end(
            verdict,
            frames=self.frames.frames,
            until=lambda: self.stop.is_set() and (self.signals.count > 1 or time.monotonic() - began > self.grace),
        )
        if lost and not self.stop.is_set():
            verdict = _not_shown(verdict, lost)
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
        for note in (*notes, *collected.notes, *_unmapped(collected.coverage)):
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
            memory_peak=exited.get("memory_peak", 0),
            collected=collected,
            interrupted=self.signals.first() if self.signals.first else None,
        )


def _with_kept(verdict: Verdict, proof: TreeProof | None) -> Verdict:
    """Return a green verdict that says that the pod had files which the working tree does not have."""
    if verdict.exit is not ExitCode.PASSED or proof is None or not proof.kept:
        return verdict
    files = "1 file" if len(proof.kept) == 1 else f"{len(proof.kept)} files"
    return msgspec.structs.replace(verdict, message=f"{verdict.message} with {files} that only the pod has")


def _not_shown(verdict: Verdict, reason: str) -> Verdict:
    """Return the verdict of a run whose results were not shown to the end: never 0, as nobody saw what passed."""
    if verdict.exit is not ExitCode.PASSED:
        reason = f"{verdict.reason}; the results were not shown: {reason}".removeprefix("; ")
        return msgspec.structs.replace(verdict, reason=reason)
    return msgspec.structs.replace(
        verdict,
        exit=ExitCode.ENVIRONMENT,
        message="all tests passed, but the host-side renderer failed and their results were not shown",
        reason=f"{reason}; see renderer-errors.log in the directory of the run",
    )


def _unmapped(coverage: CollectedCoverage | None) -> tuple[str, ...]:
    """Return a warning if measured files are not files of the project."""
    if not coverage or not coverage.unmapped:
        return ()
    named = ", ".join(coverage.unmapped[:_NAMED])
    more = f" and {len(coverage.unmapped) - _NAMED} more" if len(coverage.unmapped) > _NAMED else ""
    what = "some" if coverage.mapped else "none"
    verb = "are not files" if coverage.mapped else "is a file"
    return (f"coverage: {what} of the measured files {verb} of the project: {named}{more}",)
