"""`breakpoint()` and `--pdb`: the debugger uses the user's terminal while it waits for input."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence

import pytest
from runner.bench import Bench
from runner.local_pod import LocalPod
from seatrial.model.errors import ExitCode
from seatrial.runner.agent_files import agent_argv


class TerminalPod(LocalPod):
    """A pod to which a terminal can be connected. `answers` are typed at the prompts."""

    answers: tuple[str, ...] = ()
    shown: str = ""
    attached: int = 0

    def attach(self, argv: Sequence[str], *, container: str = "tests") -> int:
        """Run a command in a terminal, type an answer at each prompt."""
        self.attached += 1
        master, replica = os.openpty()
        process = subprocess.Popen(argv, cwd=self.workdir, env=self.env, stdin=replica, stdout=replica, stderr=replica)
        os.close(replica)
        answers, seen, deadline = list(self.answers), "", time.monotonic() + 60
        while process.poll() is None:
            assert time.monotonic() < deadline, seen
            if not select.select([master], [], [], 0.05)[0]:
                continue
            try:
                seen += os.read(master, 4096).decode()
            except OSError:
                break
            if seen.endswith("(Pdb) ") and answers:
                self.shown += seen
                seen = ""
                os.write(master, answers.pop(0).encode() + b"\n")
        self.shown += seen
        self.answers = tuple(answers)
        os.close(master)
        return process.wait()


@pytest.fixture
def pod_class() -> type[LocalPod]:
    """Return the class of pods with terminals."""
    return TerminalPod


def terminal_pod(bench: Bench) -> TerminalPod:
    assert isinstance(bench.pod, TerminalPod)
    return bench.pod


def test_breakpoint_connects_the_terminal(bench: Bench) -> None:
    """Output before and after it is shown as usual."""
    bench.write(test_a_py="def test_before(): pass\ndef test_it():\n    x = 6\n    breakpoint()\n    assert x == 7\n")
    bench.build()
    pod = terminal_pod(bench)
    pod.answers = ("p x * 7", "x = 7", "c")

    ran = bench.run("-v", interactive=True)

    assert ran.verdict.exit is ExitCode.PASSED, bench.text
    assert "42" in pod.shown
    assert pod.attached == 1
    assert "PDB set_trace" in bench.text
    assert "2 passed" in bench.text


def test_keys_and_ctrl_c_that_arrive_together_keep_their_order(bench: Bench) -> None:
    """The line before Ctrl-C is interrupted, and the line after it runs."""
    bench.write(test_a_py="def test_it():\n    breakpoint()\n")
    bench.build()
    pod = terminal_pod(bench)
    pod.answers = ("import time; time.sleep(600)\n\x03p 6 * 7", "c")

    ran = bench.run("-v", interactive=True)

    assert ran.verdict.exit is ExitCode.PASSED, bench.text
    assert pod.shown.index("sleep(600)") < pod.shown.index("KeyboardInterrupt") < pod.shown.index("42")


def test_pdb_connects_the_terminal_after_a_failure(bench: Bench) -> None:
    """--pdb shows each traceback, then a prompt."""
    bench.write(test_a_py="def test_one():\n    y = 'here'\n    assert 0\ndef test_two(): assert 0\n")
    bench.build()
    pod = terminal_pod(bench)
    pod.answers = ("p y", "c", "c")

    ran = bench.run("--pdb", interactive=True)

    assert ran.verdict.exit is ExitCode.TESTS_FAILED
    assert "'here'" in pod.shown
    assert pod.attached == 2
    assert "entering PDB" in bench.text
    assert "2 failed" in bench.text


def test_quit_in_the_debugger_interrupts_the_run(bench: Bench) -> None:
    """As it does locally."""
    bench.write(test_a_py="def test_one():\n    breakpoint()\ndef test_two(): pass\n")
    bench.build()
    pod = terminal_pod(bench)
    pod.answers = ("q",)

    ran = bench.run(interactive=True)

    assert ran.verdict.exit is ExitCode.INTERRUPTED
    assert "Quitting debugger" in bench.text


def test_breakpoint_without_a_terminal_is_a_failure(bench: Bench) -> None:
    """The test fails with the reason. Output of the next test is captured."""
    bench.write(
        test_a_py="def test_one():\n    breakpoint()\ndef test_two(): print('quiet')\ndef test_three(): assert 0\n"
    )
    bench.build()

    ran = bench.run(interactive=False, seconds=60)

    assert ran.verdict.exit is ExitCode.TESTS_FAILED
    assert "Failed: breakpoint() needs a terminal" in bench.text
    assert ran.counts.passed == 1
    assert "quiet" not in bench.text
    assert terminal_pod(bench).attached == 0


def test_attach_to_a_run_without_a_terminal_fails(bench: Bench) -> None:
    run = bench.start_unfollowed()
    attach = agent_argv("attach", run.name, python=bench.pod.python, entry=bench.pod.entry)

    done = bench.pod.run(attach, timeout=10)

    assert (done.code, done.stderr) == (1, b"this run has no terminal\n")
