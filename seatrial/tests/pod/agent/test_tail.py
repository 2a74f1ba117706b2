"""Chunks of a run, from any offset to its end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runner.bench import Bench, wait_for
from seatrial.pod.agent import tail as module
from seatrial.pod.agent.state_files import Lock
from seatrial.pod.agent.wire import (
    BEGIN_FILE,
    COLLECTED_FILE,
    EXIT_FILE,
    FRAMES_FILE,
    OUTPUT_FILE,
    REQUEST_FILE,
    STATE_VARIABLE,
    ChunkKind,
)
from seatrial.runner.agent_files import agent_argv, agent_files
from seatrial.runner.protocol import Chunk, ChunkReader

EXITED = {"sizes": {"frames": 6, "output": 4}, "code": 0}


class Run:
    """The directory of a run without a supervisor, and a tail of it."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.directory = self.state / "runs" / "r"
        self.directory.mkdir(parents=True)
        self.entry = directory / "agent" / "agent.py"
        self.entry.parent.mkdir()
        for name, text in agent_files().items():
            (self.entry.parent / name).write_text(text)
        self.write(**{REQUEST_FILE: '{"cwd": "/nowhere", "artifacts": []}', FRAMES_FILE: "frames", OUTPUT_FILE: "text"})
        self.alive = Lock(str(self.state / "alive"))
        self.alive.take()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.directory / name).write_text(text)

    def end(self) -> None:
        self.write(**{BEGIN_FILE: "{}", COLLECTED_FILE: "tar", EXIT_FILE: json.dumps(EXITED)})

    def tail(self, *offsets: str) -> list[Chunk]:
        """Return the chunks of a whole tail, without heartbeats."""
        argv = agent_argv("tail", "r", *offsets, python=sys.executable, entry=str(self.entry))
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={STATE_VARIABLE: str(self.state)}
        ) as process:
            assert process.stdout
            data = process.stdout.read()
            assert process.wait(30) == 0
        return [chunk for chunk in ChunkReader().feed(data) if chunk.kind != ChunkKind.HEARTBEAT]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.alive.release()


def contents(chunks: list[Chunk]) -> list[tuple[str, int, bytes]]:
    return [(chunk.kind, chunk.offset, chunk.data) for chunk in chunks if chunk.kind != ChunkKind.TICK]


def test_tail_of_an_ended_run_sends_all_channels_in_order(run: Run) -> None:
    run.end()

    chunks = run.tail()

    assert contents(chunks) == [
        (ChunkKind.BEGUN, 0, b"{}"),
        (ChunkKind.OUTPUT, 0, b"text"),
        (ChunkKind.FRAMES, 0, b"frames"),
        (ChunkKind.EXITED, 0, json.dumps(EXITED).encode()),
        (ChunkKind.COLLECTED, 0, b"tar"),
        (ChunkKind.DONE, 0, b""),
    ]
    (tick,) = [json.loads(chunk.data) for chunk in chunks if chunk.kind == ChunkKind.TICK]
    assert tick == {"frames": 6, "output": 4}


def test_tail_resumes_at_the_offsets(run: Run) -> None:
    run.end()

    sent = {kind: (offset, data) for kind, offset, data in contents(run.tail("F=2", "O=4", "H=1"))}

    assert (sent[ChunkKind.FRAMES], sent[ChunkKind.COLLECTED]) == ((2, b"ames"), (1, b"ar"))
    assert ChunkKind.OUTPUT not in sent


def test_tail_sends_nothing_beyond_the_final_sizes(run: Run) -> None:
    """A process that outlives the run may still write."""
    run.end()
    run.write(**{OUTPUT_FILE: "text and more"})

    assert (ChunkKind.OUTPUT, 0, b"text") in contents(run.tail())


def test_large_file_is_sent_in_pieces(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    size = module._CHUNK * 2 + 1
    run.end()
    run.write(**{COLLECTED_FILE: "x" * size})

    pieces = [(offset, len(data)) for kind, offset, data in contents(run.tail()) if kind == ChunkKind.COLLECTED]

    assert pieces == [(0, module._CHUNK), (module._CHUNK, module._CHUNK), (2 * module._CHUNK, 1)]


def test_dead_supervisor_makes_the_run_lost_and_its_files_are_packed_here(run: Run) -> None:
    run.alive.release()

    chunks = contents(run.tail())

    assert [kind for kind, *_ in chunks] == [
        ChunkKind.OUTPUT, ChunkKind.FRAMES, ChunkKind.LOST, ChunkKind.COLLECTED, ChunkKind.DONE,
    ]  # fmt: skip
    assert chunks[-1][2] == b""
    assert (run.directory / COLLECTED_FILE).exists()


def test_tail_tells_why_files_of_a_lost_run_cannot_be_packed(run: Run) -> None:
    run.alive.release()
    run.write(**{REQUEST_FILE: "[]"})

    chunks = contents(run.tail())

    assert [kind for kind, *_ in chunks][-2:] == [ChunkKind.LOST, ChunkKind.DONE]
    assert b"Error: " in chunks[-1][2]


def test_supervisor_that_dies_after_its_last_action_has_ended_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.end()
    run.alive.release()

    assert ChunkKind.LOST not in [kind for kind, *_ in contents(run.tail())]


def test_tail_of_much_output_shows_that_a_host_follows(bench: Bench) -> None:
    bench.write(
        test_a_py="import sys, time\ndef test_a():\n    for _ in range(15):\n"
        "        print('.', file=sys.__stdout__, flush=True)\n        time.sleep(0.1)\n"
    )
    bench.build()

    bench.run("-s")

    run = next((bench.pod.state_directory / "runs").iterdir())
    begun = json.loads((run / "begin.json").read_text())["at"]
    assert (run / "request.json").stat().st_mtime - begun > 1


def test_tail_of_a_lost_host_ends_and_the_run_continues(bench: Bench) -> None:
    """Failed writes would not show that: an exec accepts output after its client has disconnected."""
    run = bench.start_unfollowed()
    tail = agent_argv("tail", run.name, python=bench.pod.python, entry=bench.pod.entry)
    pipe = subprocess.PIPE
    with subprocess.Popen(tail, env=bench.pod.env, stdin=pipe, stdout=pipe) as listening:
        assert listening.stdin is not None
        before = (run / "request.json").stat().st_mtime
        wait_for(lambda: (run / "request.json").stat().st_mtime > before)
        listening.stdin.close()

        assert listening.wait(10) == 1
    assert not (run / "exit.json").exists()
