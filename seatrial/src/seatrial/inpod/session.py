"""One run of the tests, seen from the host: submit, follow, show, conclude, bring home."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from seatrial.inpod import stale
from seatrial.inpod.coverage import CoverageHome
from seatrial.inpod.display import Display
from seatrial.inpod.home import Home, bring_home
from seatrial.inpod.podside import agent_argv
from seatrial.inpod.progress import Progress
from seatrial.inpod.protocol import Chunk, ChunkReader, FrameReader, Garbled
from seatrial.inpod.request import Request
from seatrial.inpod.sync import Submitted, submit
from seatrial.inpod.tree import Files
from seatrial.inpod.verdict import Conclusion, Evidence, conclude
from seatrial.interruption import first_sets
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.model.event import Body, Note
from seatrial.model.result import Counts, TreeProof
from seatrial.ports import ContainerState, PodExec, Started, StreamBroken

__all__ = ["Request", "TestOutcome", "run_tests"]

_FILES: Final = {"F": "frames", "O": "runner-output.log", "H": "home.tar"}
"""What the tail of a run tells, by its kind, and the file where it is kept."""

_NAMED: Final = 3
"""Files that a warning names."""
_BACKOFF: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_LOST_AFTER: Final = 20.0
"""Seconds without any byte, over all attempts, after which the pod is asked for: heartbeats come twice a second."""
_GRACE: Final = 10.0
"""Seconds that pytest gets to end after an interrupt, before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOutcome:
    """What came of it.

    Attributes:
        exit: what the tool should end with.
        says: the verdict in one line.
        why: one more; may be empty.
        counts: tests by outcome.
        suspects: tests that were running when the session died.
        pytest_exit: what pytest itself ended with; None if nobody knows.
        tree: proof that what ran was the working tree; None if there was nothing to compare.
        files: what the pod had below the paths that were compared.
        proven: pytest told its end itself.
        frames: how many frames of its log arrived whole.
        seconds: how long pytest took, by its own clock.
        memory_peak: bytes, of the container `tests`; 0 if unknown.
        home: what came home and where it is.
        interrupted: what ends the process because the user interrupted the tests; None if nobody did.
    """

    __test__ = False

    exit: ExitCode
    says: str
    why: str = ""
    counts: Counts = field(default_factory=Counts)
    suspects: tuple[str, ...] = ()
    pytest_exit: int | None = None
    tree: TreeProof | None = None
    files: Files = field(default_factory=dict)
    proven: bool = False
    frames: int = 0
    seconds: float = 0.0
    memory_peak: int = 0
    home: Home = field(default_factory=Home)
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
) -> TestOutcome:
    """Run the tests and return what came of it. Shows pytest's output on `out` while it happens.

    Args:
        exec_: commands in the pod.
        request: what to run.
        emit: takes the events.
        state: asks Kubernetes for the container `tests`.
        host_args: arguments for the pytest that shows the results.
        run_dir: where the logs and what comes home are written.
        out: where pytest's output goes; a real file (`sys.stdout`) is written to directly.
        stop: set it to interrupt the tests from another thread.
        started: the command that takes the run, if it waits in the pod already.

    Ctrl-C once interrupts the tests as it does locally; twice raises KeyboardInterrupt.

    Raises:
        PodDiffers: the pod does not have the files that the delta was planned for.
        EnvironmentFailed: the run could not be started.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    for name in _FILES.values():
        (run_dir / name).write_bytes(b"")
    # Before anything else: what shows the results takes a processor for as long as the tests need to start.
    submitted = submit(exec_, request, started)
    with Display(request.run, request, run_dir=run_dir, out=out, host_args=host_args) as display:
        session = _Session(
            exec_, request, emit=emit, state=state, run_dir=run_dir, display=display, stop=stop or threading.Event()
        )
        return session.result(submitted)


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
        display: Display,
        stop: threading.Event,
    ) -> None:
        self.exec = exec_
        self.request = request
        self.emit = emit
        self.state = state
        self.display = display
        self.stop = stop
        self.paths = {kind: run_dir / name for kind, name in _FILES.items()}
        self.run_dir = run_dir
        self.sizes = dict.fromkeys(self.paths, 0)
        self.frames = FrameReader()
        self.progress = Progress()
        self.exited: dict[str, Any] | None = None
        self.container: ContainerState | None = None
        self.lost = False
        self.done = False
        self.heard = time.monotonic()
        self.interrupted = False
        self.out_of_time = False
        self.kill_at: float | None = None
        self.killed = False
        self.attached = 0

    def result(self, submitted: Submitted) -> TestOutcome:
        with first_sets(self.stop):
            self.follow()
            return self.outcome(submitted)

    # Following.

    def follow(self) -> None:
        """Read the tail until all is said; again from the same byte whenever the connection breaks."""
        failures = 0
        while not (self.done or self.lost):
            before = self.heard
            try:
                self.read_tail()
            except (StreamBroken, Garbled, EnvironmentFailed) as error:
                failures = 0 if self.heard > before else failures + 1
                self.emit(Note(level="debug", text=f"the stream of results broke and is resumed: {error}"))
                if self.silent():
                    return
                time.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])

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
        for data in self.exec.stream(argv, container="keeper"):
            for chunk in reader.feed(data):
                self.take(chunk)
            if self.done or self.lost:
                return
            self.watch_time()
        if not (self.done or self.lost):
            raise StreamBroken("the stream of results ended before they did")

    def silent(self) -> bool:
        """Return whether to give up: nothing was heard for long, or the pod is not there any more."""
        if time.monotonic() - self.heard < _LOST_AFTER:
            try:
                container = self.state()
            except EnvironmentFailed:
                return False
            if container.state != "gone":
                # Even if `tests` ended: the keeper may still have the rest.
                return False
        self.lost = True
        return True

    def take(self, chunk: Chunk) -> None:
        if chunk.kind != "B":
            # Every connection begins with that one.
            self.heard = time.monotonic()
        if chunk.kind in self.paths:
            self.append(chunk)
        elif chunk.kind == "T":
            self.display.tick(frames=self.sizes["F"], output=self.sizes["O"])
            if self.progress.debugger > self.attached:
                self.attached = self.progress.debugger
                self.debug()
        elif chunk.kind == "X":
            self.exited = json.loads(chunk.data)
        elif chunk.kind == "L":
            self.lost = True
        elif chunk.kind == "D":
            self.done = True

    def append(self, chunk: Chunk) -> None:
        """Write down what came, in its place; what came twice only once."""
        have = self.sizes[chunk.kind]
        if chunk.offset > have:
            raise Garbled(f"{chunk.offset - have} bytes are missing")
        data = chunk.data[have - chunk.offset :]
        if not data:
            return
        with self.paths[chunk.kind].open("r+b") as file:
            file.seek(have)
            file.write(data)
        self.sizes[chunk.kind] = have + len(data)
        if chunk.kind == "F":
            for frame in self.frames.feed(data):
                for body in self.progress.take(frame):
                    self.emit(body)

    # Ending.

    def watch_time(self) -> None:
        if self.stop.is_set() and not self.interrupted:
            self.interrupt()
        if self.request.deadline.passed and self.exited is None and not self.out_of_time and not self.interrupted:
            self.out_of_time = True
            self.emit(Note(level="warning", text="the tests are out of time and are interrupted"))
            self.tell()
        if self.kill_at is not None and time.monotonic() > self.kill_at and not self.killed:
            self.killed = True
            self.tell("--kill")

    def interrupt(self) -> None:
        """Do once what Ctrl-C does."""
        if not self.interrupted:
            self.interrupted = True
            self.tell()

    def tell(self, *flags: str) -> None:
        self.kill_at = self.kill_at or time.monotonic() + _GRACE
        argv = agent_argv("interrupt", self.request.run, *flags, python=self.request.python, entry=self.request.entry)
        try:
            self.exec.run(argv, container="keeper", timeout=_GRACE)
        except (StreamBroken, EnvironmentFailed) as error:
            self.emit(Note(level="warning", text=f"the tests could not be interrupted: {error}"))

    def debug(self) -> None:
        """Connect the user's terminal to the debugger in the pod."""
        self.display.wait_for_debugger()
        argv = agent_argv("attach", self.request.run, python=self.request.python, entry=self.request.entry)
        self.exec.attach(argv, container="tests")
        self.display.resume()

    def outcome(self, submitted: Submitted) -> TestOutcome:
        if self.lost:
            self.container = _ended_state(self.state)
        evidence = Evidence(
            progress=self.progress,
            broken=self.frames.broken,
            exited=self.exited,
            container=self.container,
            informational=self.request.informational,
            interrupted=self.interrupted,
            out_of_time=self.out_of_time,
            stale=stale.reason(self.request.tree, self.request.directory, self.progress.imports, submitted.proof),
        )
        conclusion = conclude(evidence)
        self.display.end(conclusion)
        return self._outcome(conclusion, submitted)

    def _outcome(self, conclusion: Conclusion, submitted: Submitted) -> TestOutcome:
        exited, end = self.exited or {}, self.progress.end
        written = self.run_dir / "junit.xml"
        if self.request.junit is not None and written.exists():
            self.request.junit.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(written, self.request.junit)
        home = bring_home(self.paths["H"], self.request, self.run_dir) if self.done else Home()
        for note in (*home.notes, *_unmapped(home.coverage)):
            self.emit(Note(level="warning", text=note))
        return TestOutcome(
            exit=conclusion.exit,
            says=conclusion.says,
            why=conclusion.why,
            counts=self.progress.counts,
            suspects=conclusion.suspects,
            pytest_exit=end.exit if end else exited.get("code"),
            tree=submitted.proof,
            files=submitted.files,
            proven=conclusion.proven,
            frames=self.frames.frames,
            seconds=end.seconds if end else 0.0,
            memory_peak=exited.get("memory_peak", 0),
            home=home,
            interrupted=KeyboardInterrupt() if self.interrupted else None,
        )


def _unmapped(coverage: CoverageHome | None) -> tuple[str, ...]:
    """Return a warning if measured files are not files of the project."""
    if not coverage or not coverage.unmapped:
        return ()
    named = ", ".join(coverage.unmapped[:_NAMED])
    more = f" and {len(coverage.unmapped) - _NAMED} more" if len(coverage.unmapped) > _NAMED else ""
    what = "some" if coverage.mapped else "none"
    verb = "are not files" if coverage.mapped else "is a file"
    return (f"coverage: {what} of the measured files {verb} of the project: {named}{more}",)


def _ended_state(state: Callable[[], ContainerState]) -> ContainerState:
    """Return the container's state once Kubernetes has noticed that it ended; that takes it a moment."""
    deadline = Deadline.after(5.0)
    while True:
        container = state()
        if container.state in ("terminated", "gone") or deadline.passed:
            return container
        time.sleep(0.2)
