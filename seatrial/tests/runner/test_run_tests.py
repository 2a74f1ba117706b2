"""Runs with the real agent in a pod that is a directory."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from seatrial.image_inputs.working_tree import digest
from seatrial.model import event
from seatrial.model.errors import ExitCode
from seatrial.model.event import Body, Note
from seatrial.runner.sync import PodDiffers

from runner.bench import PASSES, Bench, wait_for


def test_run_of_passing_tests_is_proven(bench: Bench) -> None:
    """Verdict, text, counts and files of the run."""
    bench.write(test_a_py=PASSES)
    bench.build()

    ran = bench.run(sync=("test_a.py",))

    assert (ran.verdict.exit, ran.verdict.message, ran.verdict.proven) == (
        ExitCode.PASSED,
        "all tests passed",
        True,
    )
    assert (ran.counts.passed, ran.pytest_exit, ran.verdict.suspects) == (1, 0, ())
    assert ran.tree is not None
    assert ran.tree.host == ran.tree.pod
    assert ran.seconds > 0
    assert "runs in: here" in bench.text
    assert "1 passed" in bench.text
    assert (bench.run_dir / "junit.xml").exists()


def test_container_log_has_the_output_of_pytest(bench: Bench) -> None:
    """`kubectl logs` shows what pytest wrote."""
    bench.write(test_a_py="def test_prints():\n    print('x')\n    assert 0\n")
    bench.build()
    bench.run()

    log = (bench.pod.directory / "container.log").read_text()
    assert "test session starts" in log
    assert "1 failed" in log


def test_edited_files_are_sent_to_the_pod(bench: Bench) -> None:
    """Changed, new and deleted files; an edit in the same second and of the same size too."""
    bench.write(tests__test_a_py="def test_a(): assert 1\n", tests__test_b_py=PASSES)
    bench.build()
    assert bench.run(sync=("tests",)).counts.passed == 2

    times = (bench.root / "tests/test_a.py").stat()
    bench.write(tests__test_a_py="def test_a(): assert 0\n", tests__test_c_py=PASSES)
    os.utime(bench.root / "tests/test_a.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    (bench.root / "tests/test_b.py").unlink()
    ran = bench.run(sync=("tests",))

    assert (ran.counts.passed, ran.counts.failed, ran.counts.collected) == (1, 1, 2)
    assert ran.tree is not None
    assert ran.tree.host == ran.tree.pod


def test_tree_that_was_not_sent_is_inconclusive(bench: Bench) -> None:
    """Passed tests of other files do not count."""
    bench.write(tests__test_a_py=PASSES)
    bench.build()
    (bench.pod.workdir / "tests/extra.py").write_text("x = 1\n")

    ran = bench.run(sync=("tests",), delta=None)

    assert (ran.verdict.exit, ran.verdict.message) == (
        ExitCode.INCONCLUSIVE,
        "the code that ran is not the working tree",
    )


def test_pod_with_other_files_is_not_changed(bench: Bench) -> None:
    """The error has the present files, so that the host can plan again."""
    bench.write(tests__test_a_py=PASSES)
    bench.build()
    known = bench.run(sync=("tests",)).files
    bench.write(tests__test_a_py="def test_other(): pass\n")
    touched = bench.pod.workdir / "tests/extra.py"
    touched.write_text("x = 1\n")

    with pytest.raises(PodDiffers) as raised:
        bench.run(sync=("tests",), expect=digest(known))

    assert raised.value.files.keys() == {"tests", "tests/test_a.py", "tests/extra.py"}
    assert (bench.pod.workdir / "tests/test_a.py").read_text() == PASSES
    ran = bench.run(sync=("tests",), expect=digest(raised.value.files))
    assert (ran.counts.passed, set(ran.files)) == (1, {"tests", "tests/test_a.py"})
    assert not touched.exists()


@pytest.mark.parametrize("size", [1500, 9001])
def test_broken_stream_is_resumed(bench: Bench, size: int) -> None:
    """It breaks repeatedly, also within frames. No result is lost or counted twice."""
    bench.write(
        test_a_py="import pytest\n@pytest.mark.parametrize('i', range(40))\ndef test_a(i): print(i); assert i != 7\n"
    )
    bench.build()
    bench.pod.cut_after = size

    ran = bench.run("-q")

    assert ran.verdict.exit is ExitCode.TESTS_FAILED
    assert (ran.counts.passed, ran.counts.failed) == (39, 1)
    assert "1 failed, 39 passed" in bench.text
    assert sum(isinstance(event, Note) and "resumed" in event.text for event in bench.events) > 2


def test_results_of_a_killed_container_are_kept(bench: Bench) -> None:
    """Results before the end are kept, and the running test is the suspect."""
    marker = bench.pod.directory / "running"
    bench.write(
        test_a_py="def test_one(): pass\ndef test_two():\n    import time\n"
        f"    open({str(marker)!r}, 'w'); time.sleep(60)\n"
    )
    bench.build()
    threading.Thread(target=_when_there, args=(marker, bench.pod.kill_container)).start()

    ran = bench.run("-v")

    assert ran.verdict.exit is ExitCode.INCONCLUSIVE
    assert ran.verdict.message == "the runner died while running test_a.py::test_two"
    assert ran.verdict.reason == "its container was killed by the kernel: out of memory (limit 512Mi)"
    assert ran.counts.passed == 1
    assert "test_a.py::test_one PASSED" in bench.text
    assert "!!! seatrial: the runner died while running test_a.py::test_two !!!" in bench.text
    assert 'name="test_two"' in (bench.run_dir / "junit.xml").read_text()


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ("os._exit(0)", "the process exited with 0 before pytest ended"),
        ("os._exit(1)", "the process exited with 1 before pytest ended"),
        ("os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("ctypes.string_at(0)", "ended by SIGSEGV"),
        ("os.closerange(3, 300); os._exit(3)", "the process exited with 3 before pytest ended"),
    ],
)
def test_killed_process_is_inconclusive(bench: Bench, death: str, reason: str) -> None:
    """Whatever a test does to its own process."""
    bench.write(test_a_py=f"import ctypes, os\ndef test_one(): pass\ndef test_two(): {death}\n")
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.verdict.reason) == (ExitCode.INCONCLUSIVE, reason)
    assert ran.verdict.suspects == ("test_a.py::test_two",)
    assert ran.counts.passed == 1


@pytest.mark.parametrize(
    ("test", "passed", "failed"),
    [("pass", 0, 0), ("print('x')", 0, 0), ("assert 0", 0, 1), ("time.sleep(0.02)", 1, 0)],
    ids=["quick", "quick-with-output", "failed", "slow"],
)
def test_process_killed_in_teardown_is_inconclusive(bench: Bench, test: str, passed: int, failed: int) -> None:
    """The running test is the suspect. A quick pass is recorded only when the next test starts."""
    bench.write(
        test_a_py="import os, pytest, time\n"
        "@pytest.fixture\n"
        "def deadly():\n    yield\n    os._exit(0)\n"
        "def test_before(): pass\n"
        f"def test_two(deadly): {test}\n"
    )
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.verdict.suspects) == (ExitCode.INCONCLUSIVE, ("test_a.py::test_two",))
    assert (ran.counts.passed, ran.counts.failed) == (1 + passed, failed)


def test_command_with_two_sessions_is_inconclusive(bench: Bench) -> None:
    """Only one of them can be shown."""
    bench.write(test_a_py=PASSES)
    bench.build()
    python = bench.pod.python

    ran = bench.run(command=("sh", "-c", f"{python} -m pytest -q && {python} -m pytest -q"))

    assert (ran.verdict.exit, ran.verdict.message) == (
        ExitCode.INCONCLUSIVE,
        "the command started pytest 2 times",
    )


def test_interrupt_ends_the_run(bench: Bench) -> None:
    """As Ctrl-C does locally: pytest ends and shows where it was."""
    marker, stop = bench.pod.directory / "running", threading.Event()
    bench.write(test_a_py=f"import time\ndef test_one():\n    open({str(marker)!r}, 'w'); time.sleep(60)\n")
    bench.build()
    threading.Thread(target=_when_there, args=(marker, stop.set)).start()

    ran = bench.run(stop=stop)

    assert (ran.verdict.exit, ran.verdict.proven) == (ExitCode.INTERRUPTED, True)
    assert "KeyboardInterrupt" in bench.text
    assert "test_a.py:3: KeyboardInterrupt" in bench.text


def test_timeout_ends_the_run(bench: Bench) -> None:
    """The tests are interrupted, so that the output shows where they hung."""
    bench.write(test_a_py="import time\ndef test_hangs(): time.sleep(60)\n")
    bench.build()

    ran = bench.run(seconds=3.0)

    assert ran.verdict.exit is ExitCode.OUT_OF_TIME
    assert "KeyboardInterrupt" in bench.text


def test_missing_command_is_an_environment_error(bench: Bench) -> None:
    """The error names the command."""
    ran = bench.run(command=("no-such-program", "pytest"))

    assert (ran.verdict.exit, ran.verdict.reason) == (
        ExitCode.ENVIRONMENT,
        "No such file or directory: no-such-program",
    )


def test_command_that_fails_before_pytest_is_an_environment_error(bench: Bench) -> None:
    """Its output is shown."""
    ran = bench.run(command=("sh", "-c", "echo cannot resolve dependencies >&2; exit 2"))

    assert ran.verdict.exit is ExitCode.ENVIRONMENT
    assert "cannot resolve dependencies" in bench.text


def test_events_are_emitted_during_the_run(bench: Bench) -> None:
    """The result of a test is emitted while the next one runs."""
    seen = threading.Event()
    go = bench.pod.directory / "go"
    bench.write(
        test_a_py="import os, time\ndef test_one(): pass\ndef test_two():\n"
        f"    while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    )
    bench.build()

    def emit(body: Body) -> None:
        if isinstance(body, event.TestStarted) and body.nodeid.endswith("test_two"):
            seen.set()
            go.touch()

    assert bench.run(emit=emit, seconds=20).verdict.exit is ExitCode.PASSED
    assert seen.is_set()


def _when_there(path: Path, action: object) -> None:
    wait_for(path.exists)
    time.sleep(0.1)
    action()  # type: ignore[operator]
