"""Runs under the real agent, in another directory and under processes of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from seatrial.image_inputs.working_tree import digest
from seatrial.model import event
from seatrial.model.errors import EnvironmentFailed, ExitCode
from seatrial.model.event import Body, Note
from seatrial.runner.agent_files import agent_argv
from seatrial.runner.sync import PodDiffers

from runner.conftest import Bench
from runner.local_pod import LocalPod

PASSES = "def test_passes(): pass\n"


def test_green(bench: Bench) -> None:
    """All is well, and proven: the outcome, the text, the counts, the files of the run."""
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


def test_the_containers_log_has_the_text(bench: Bench) -> None:
    """`kubectl logs` shows what pytest wrote."""
    bench.write(test_a_py="def test_prints():\n    print('x')\n    assert 0\n")
    bench.build()
    bench.run()

    log = (bench.pod.directory / "container.log").read_text()
    assert "test session starts" in log
    assert "1 failed" in log


def test_edits_reach_the_pod(bench: Bench) -> None:
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


def test_a_tree_that_was_not_sent_is_not_green(bench: Bench) -> None:
    """Passing tests of another tree prove nothing."""
    bench.write(tests__test_a_py=PASSES)
    bench.build()
    (bench.pod.workdir / "tests/extra.py").write_text("x = 1\n")

    ran = bench.run(sync=("tests",), delta=None)

    assert (ran.verdict.exit, ran.verdict.message) == (
        ExitCode.INCONCLUSIVE,
        "the code that ran is not the working tree",
    )


def test_a_pod_that_is_not_what_the_delta_was_planned_for_stays_as_it_is(bench: Bench) -> None:
    """It may have been touched since it told what it has; that is told now, and planned anew."""
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


def test_what_is_refused_is_read_to_its_end(bench: Bench) -> None:
    """The exec of a command that leaves much of its input unread never ends: the cluster waits for a reader."""
    tree = {"root": str(bench.pod.workdir), "paths": ["tests"], "expect": "something else"}
    argv = agent_argv("submit", python=bench.pod.python, entry=bench.pod.entry)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=bench.pod.env) as submit:
        assert submit.stdin is not None
        submit.stdin.write(json.dumps({"tree": tree, "archive": True}).encode() + b"\n")
        submit.stdin.write(bytes(1 << 20))  # a broken pipe is an error here
        submit.stdin.close()
        assert submit.stdout is not None
        assert json.loads(submit.stdout.read()) == {"error": "differs", "files": {}}


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["serial", "xdist"])
def test_an_installed_copy_is_not_green(bench: Bench, workers: tuple[str, ...]) -> None:
    """The tree is right, but Python imports another file: also in xdist's workers, where the tests are."""
    test = "import pkg\ndef test_pkg(): assert pkg.VALUE\n"
    bench.write(src__pkg____init___py="VALUE = 2\n", tests__test_a_py=test)
    (bench.root / "src/pkg").mkdir(parents=True, exist_ok=True)
    (bench.root / "src/pkg/__init__.py").write_text("VALUE = 2\n")
    bench.build()
    installed = bench.pod.directory / "site-packages" / "pkg"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("VALUE = 1\n")

    ran = bench.run(*workers, "tests", sync=("tests", "src"), env={"PYTHONPATH": str(installed.parent)})

    assert ran.verdict.exit is ExitCode.INCONCLUSIVE
    assert f"pkg was imported from {installed}/__init__.py" in ran.verdict.reason


@pytest.mark.parametrize("size", [1500, 9001])
def test_a_stream_that_breaks_is_resumed(bench: Bench, size: int) -> None:
    """Cut again and again, also in the middle of frames: nothing is lost, nothing counted twice."""
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


def test_a_container_that_dies_loses_nothing(bench: Bench) -> None:
    """What was reported before is there, and the test that was running is the suspect."""
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
def test_a_process_that_dies_is_never_green(bench: Bench, death: str, reason: str) -> None:
    """Whatever a test does to its process."""
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
def test_a_process_that_dies_in_a_tear_down(bench: Bench, test: str, passed: int, failed: int) -> None:
    """The test is the suspect. Failures and slow passes had been told; a quick pass goes with the next begin."""
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


def test_a_test_may_close_its_descriptors(bench: Bench) -> None:
    """Code that becomes a daemon does; the log is not among what it closes."""
    bench.write(test_a_py="import os\ndef test_one(): os.closerange(20, 256)\ndef test_two(): pass\n")
    bench.build()

    assert bench.run().verdict.exit is ExitCode.PASSED


def test_a_fork_that_comes_back_is_not_the_session(bench: Bench) -> None:
    """A child that goes on through pytest's hooks writes nothing into the log."""
    bench.write(test_a_py="import os\ndef test_one(): os.fork()\ndef test_two(): pass\n")
    bench.build()

    assert bench.run("-p", "no:cacheprovider").counts.passed == 2


def test_pytest_inside_a_test_is_its_own_matter(bench: Bench) -> None:
    """Tests of pytest plugins run pytest; only the run's own session counts, and the environment is clean."""
    bench.write(
        test_a_py="import os, subprocess, sys\n"
        "def test_nested(tmp_path):\n"
        "    assert [name for name in os.environ if name.startswith('SEATRIAL_')] == ['SEATRIAL_STATE_DIRECTORY']\n"
        "    assert 'PYTEST_ADDOPTS' not in os.environ and 'PYTEST_PLUGINS' not in os.environ\n"
        "    (tmp_path / 'test_b.py').write_text('def test_b(): assert 0')\n"
        "    assert subprocess.run([sys.executable, '-m', 'pytest', str(tmp_path)]).returncode == 1\n"
    )
    bench.build()

    ran = bench.run()

    assert ran.verdict.exit is ExitCode.PASSED, bench.text
    assert ran.counts.collected == 1


def test_two_sessions_in_one_command(bench: Bench) -> None:
    """Only one can be shown, so none is believed."""
    bench.write(test_a_py=PASSES)
    bench.build()
    python = bench.pod.python

    ran = bench.run(command=("sh", "-c", f"{python} -m pytest -q && {python} -m pytest -q"))

    assert (ran.verdict.exit, ran.verdict.message) == (
        ExitCode.INCONCLUSIVE,
        "the command started pytest 2 times",
    )


def test_the_user_interrupts(bench: Bench) -> None:
    """As Ctrl-C does locally: pytest ends by itself and shows where it was."""
    marker, stop = bench.pod.directory / "running", threading.Event()
    bench.write(test_a_py=f"import time\ndef test_one():\n    open({str(marker)!r}, 'w'); time.sleep(60)\n")
    bench.build()
    threading.Thread(target=_when_there, args=(marker, stop.set)).start()

    ran = bench.run(stop=stop)

    assert (ran.verdict.exit, ran.verdict.proven) == (ExitCode.INTERRUPTED, True)
    assert "KeyboardInterrupt" in bench.text
    assert "test_a.py:3: KeyboardInterrupt" in bench.text


def test_time_is_over(bench: Bench) -> None:
    """The tests are interrupted, so that the text shows where they hung."""
    bench.write(test_a_py="import time\ndef test_hangs(): time.sleep(60)\n")
    bench.build()

    ran = bench.run(seconds=3.0)

    assert ran.verdict.exit is ExitCode.OUT_OF_TIME
    assert "KeyboardInterrupt" in bench.text


def test_a_command_that_is_not_there(bench: Bench) -> None:
    """Named, and the platform's fault."""
    ran = bench.run(command=("no-such-program", "pytest"))

    assert (ran.verdict.exit, ran.verdict.reason) == (
        ExitCode.ENVIRONMENT,
        "No such file or directory: no-such-program",
    )


def test_a_command_that_fails_before_pytest(bench: Bench) -> None:
    """What it printed is shown."""
    ran = bench.run(command=("sh", "-c", "echo cannot resolve dependencies >&2; exit 2"))

    assert ran.verdict.exit is ExitCode.ENVIRONMENT
    assert "cannot resolve dependencies" in bench.text


def test_stars_are_expanded_in_the_pod(bench: Bench) -> None:
    """In paths of the configured command; what matches nothing stays."""
    bench.write(packages__a__tests__test_a_py=PASSES, packages__b__tests__test_b_py=PASSES)
    bench.build()
    command = (bench.pod.python, "-m", "pytest")

    assert bench.run(command=(*command, "packages/*/tests/")).counts.passed == 2
    assert bench.run(command=(*command, "nothing/*/")).verdict.exit is ExitCode.USAGE


@pytest.mark.parametrize("option", ["--ignore-glob", "--ignore-glob="])
def test_value_with_a_star_reaches_pytest_unchanged(bench: Bench, option: str) -> None:
    """Expanded, its second file would be the only one that runs."""
    for number in range(3):
        (bench.root / f"test_slow_{number}.py").write_text(PASSES)
        (bench.root / f"test_quick_{number}.py").write_text(PASSES)
    bench.build()
    words = (f"{option}test_slow_*",) if option.endswith("=") else (option, "test_slow_*")

    typed = bench.run(*words)
    configured = bench.run(command=(bench.pod.python, "-m", "pytest", *words))

    assert (typed.counts.passed, configured.counts.passed) == (3, 3)


WORDS = """
def pytest_addoption(parser):
    parser.addoption("--word", nargs="?", const="")
    parser.addoption("--words", nargs="*")
    parser.addoption("--number", type=int)
    parser.addoption("--quick", action="store_true")
def pytest_report_header(config):
    return f"word {config.getoption('word')} words {config.getoption('words')} quick {config.getoption('quick')}"
"""


@pytest.mark.parametrize(
    ("typed", "header", "passed"),
    [
        (("--word", "tests"), "word tests", 3),
        (("--word", "test*"), "word test*", 3),
        (("--words", "tests", "more"), "words ['tests', 'more']", 3),
        (("--number", "3"), "word None", 3),
        (("--quick", "tests/test_a.py"), "quick True", 1),
        (("--quick", "tests/test_a.py::test_passes", "more"), "quick True", 2),
        (("more", "--word", "tests"), "word tests", 1),
        (("tests/test_a.py", "--quick", "more"), "quick True", 2),
        (("--word", "tests", "more"), "word tests", 1),
        (("--word", "tests", "more", "-n", "1"), "word tests", 1),
        (("--quick", "tests/test_a.py", "-n", "1"), "quick True", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_pytest_in_the_pod_tells_values_from_paths(
    bench: Bench, typed: tuple[str, ...], header: str, passed: int
) -> None:
    """Options of plugins and of a conftest.py: a value stays a value, a path replaces those of the command."""
    bench.write(conftest_py=WORDS, tests__test_a_py=PASSES, tests__test_b_py=PASSES, more__test_c_py=PASSES)
    bench.build()

    ran = bench.run(*typed, command=(bench.pod.python, "-m", "pytest", "tests", "mor*"))

    assert (ran.verdict.exit, ran.counts.passed) == (ExitCode.PASSED, passed), bench.text
    assert header in bench.text


@pytest.mark.parametrize(
    ("configured", "passed"), [(("--quick", "test*"), 2), (("--word", "test*"), 3), (("--word", "x", "more"), 1)]
)
def test_globs_behind_an_option_of_a_plugin_are_expanded_if_they_are_paths(
    bench: Bench, configured: tuple[str, ...], passed: int
) -> None:
    bench.write(conftest_py=WORDS, tests__test_a_py=PASSES, tests__test_b_py=PASSES, more__test_c_py=PASSES)
    bench.build()

    assert bench.run(command=(bench.pod.python, "-m", "pytest", *configured)).counts.passed == passed, bench.text


def test_processes_that_tests_leave_behind_end(bench: Bench) -> None:
    """The next run finds the runner as the first one did."""
    marker = bench.pod.directory / "pid"
    bench.write(
        test_a_py="import subprocess\n"
        "def test_leaves():\n"
        f"    process = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"    open({str(marker)!r}, 'w').write(str(process.pid))\n"
    )
    bench.build()

    assert bench.run("-p", "no:unraisableexception").verdict.exit is ExitCode.PASSED
    assert not Path(f"/proc/{marker.read_text()}").exists()


def test_the_runner_is_busy(bench: Bench) -> None:
    """A second host is told so; once the first is gone, its run belongs to nobody and is ended."""
    request_file = _run_of_another_host(bench) / "request.json"

    keep = threading.Event()

    def watch() -> None:
        while not keep.wait(0.2):
            os.utime(request_file)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(EnvironmentFailed, match="the runner pod is in use by run 20251231-000000-0000"):
        bench.run()
    keep.set()
    watcher.join()
    # Killed four seconds ago: one more second shows that nobody is left.
    os.utime(request_file, (time.time() - 4,) * 2)
    bench.write(test_a_py=PASSES)
    bench.build()

    assert bench.run().verdict.exit is ExitCode.PASSED


def test_a_run_with_much_to_say_is_watched_too(bench: Bench) -> None:
    bench.write(
        test_a_py="import sys, time\ndef test_a():\n    for _ in range(15):\n"
        "        print('.', file=sys.__stdout__, flush=True)\n        time.sleep(0.1)\n"
    )
    bench.build()

    bench.run("-s")

    run = next((bench.pod.state_directory / "runs").iterdir())
    begun = json.loads((run / "begin.json").read_text())["at"]
    assert (run / "request.json").stat().st_mtime - begun > 1


def test_a_tail_whose_host_is_gone_ends_and_leaves_the_run_to_others(bench: Bench) -> None:
    """Its output would not tell: an exec's pipe takes what is written long after nobody reads it."""
    run = _run_of_another_host(bench)
    tail = agent_argv("tail", run.name, python=bench.pod.python, entry=bench.pod.entry)
    pipe = subprocess.PIPE
    with subprocess.Popen(tail, env=bench.pod.env, stdin=pipe, stdout=pipe) as listening:
        assert listening.stdin is not None
        before = (run / "request.json").stat().st_mtime
        _wait_for(lambda: (run / "request.json").stat().st_mtime > before)
        listening.stdin.close()

        assert listening.wait(10) == 1
    assert not (run / "exit.json").exists()


def test_coverage_comes_home(bench: Bench) -> None:
    """Data and XML with the project's paths, to where pytest-cov would write them."""
    bench.write(
        src__code_py="def f():\n    return 1\n", test_a_py="import sys\nsys.path.insert(0, 'src')\nimport code_\n"
    )
    (bench.root / "src/code_.py").write_text("def f():\n    return 1\n")
    bench.write(test_a_py="import sys\nsys.path.insert(0, 'src')\nfrom code_ import f\ndef test_f(): assert f()\n")
    bench.build()

    ran = bench.run("--cov=src", "--cov-report=xml", "--cov-report=term")

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.coverage is not None
    assert ran.collected.coverage.mapped >= 1
    assert 'filename="src/code_.py"' in (bench.root / "coverage.xml").read_text()
    report = subprocess.run(
        [sys.executable, "-m", "coverage", "report"], cwd=bench.root, capture_output=True, text=True, check=True
    ).stdout
    assert "src/code_.py" in report
    assert "100%" in report


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_headline_of_coverage_is_as_wide_as_those_of_pytest(bench: Bench, workers: tuple[str, ...]) -> None:
    bench.write(app_py="def f(): pass\n", tests__test_a_py="import app\ndef test_a(): app.f()\n")
    bench.build()
    bench.run("--cov=app", *workers, width=117)

    lines = [line for line in bench.text.splitlines() if " tests coverage " in line or " session starts " in line]
    assert [len(line) for line in lines] == [117, 117]


@pytest.mark.parametrize(
    ("measured", "note"),
    [
        (("elsewhere",), "coverage: none of the measured files is a file of the project: {}/elsewhere.py"),
        (("elsewhere", "inside"),
         "coverage: some of the measured files are not files of the project: {}/elsewhere.py"),
    ],
    ids=["none", "some"],
)  # fmt: skip
def test_measured_files_outside_of_the_project_are_a_warning(
    bench: Bench, measured: tuple[str, ...], note: str
) -> None:
    """pytest ends with 0, and the tests passed: `--cov` of an installed package is no failed platform."""
    installed = bench.pod.directory / "elsewhere"
    installed.mkdir()
    (installed / "elsewhere.py").write_text("x = 1\n")
    bench.write(inside_py="y = 1\n", test_a_py="import elsewhere, inside\ndef test_a(): pass\n")
    bench.build()

    ran = bench.run(*(f"--cov={name}" for name in measured), env={"PYTHONPATH": str(installed)})

    assert (ran.verdict.exit, ran.verdict.message) == (ExitCode.PASSED, "all tests passed")
    warnings = [event.text for event in bench.events if isinstance(event, Note) and event.level == "warning"]
    assert warnings == [note.format(installed)]


def test_coverage_by_another_command(bench: Bench) -> None:
    """`coverage run -m pytest` measures until its process ends; the report is made behind it."""
    bench.write(test_a_py=PASSES)
    bench.build()

    ran = bench.run(command=(bench.pod.python, "-m", "coverage", "run", "-p", "-m", "pytest"))

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.coverage is not None
    assert ran.collected.coverage.xml is not None
    assert 'filename="test_a.py"' in ran.collected.coverage.xml.read_text()


def test_artifacts_come_home(bench: Bench) -> None:
    """Files and directories that the configuration names; what is not there is said."""
    bench.write(test_a_py="import pathlib\ndef test_a():\n    pathlib.Path('out/deep').mkdir(parents=True)\n"
                "    pathlib.Path('out/deep/shot.png').write_bytes(b'png')\n")  # fmt: skip
    bench.build()

    ran = bench.run(artifacts=("out", "missing/*"))

    assert ran.collected.artifacts is not None
    assert (ran.collected.artifacts / "out/deep/shot.png").read_bytes() == b"png"
    assert ran.collected.notes == ("artifacts: nothing is at missing/*",)


def test_links_and_pipes_among_artifacts_do_not_change_the_verdict(bench: Bench) -> None:
    """A dangling link, one to a secret of the host, a loop and a pipe are left out with one warning each kind."""
    secret = bench.runs.parent / "secret"
    secret.write_text("key")
    bench.write(
        test_a_py="import os, pathlib\ndef test_a():\n    os.mkdir('out')\n    os.symlink('nowhere', 'out/dangling')\n"
        f"    os.symlink({str(secret)!r}, 'out/secret')\n    os.symlink('loop', 'out/loop')\n"
        "    os.mkfifo('out/pipe')\n"
        "    pathlib.Path('out/a').write_text('x')\n    os.link('out/a', 'out/b')\n"
    )
    bench.build()

    ran = bench.run(artifacts=("out",))

    assert ran.verdict.exit is ExitCode.PASSED
    assert ran.collected.artifacts is not None
    found = {path.name: path.read_text() for path in (ran.collected.artifacts / "out").iterdir()}
    assert found == {"a": "x", "b": "x"}, "a file with two names is two files"
    links, pipe = ran.collected.notes
    assert "dangling" in links
    assert "secret" in links
    assert "loop" in links
    assert "out/pipe" in pipe


def test_output_and_names_of_tests_reach_nobody_s_terminal_as_sequences(bench: Bench) -> None:
    bench.write(
        test_a_py="import pytest, warnings\nEVIL = '\\x1b]52;c;eA==\\x07\\x1b[2J\\u202e\\r\\x9b1A'\n"
        "@pytest.mark.parametrize('x', [1], ids=[EVIL])\ndef test_a(x):\n    print(EVIL, '\\n::error::x')\n"
        "    warnings.warn(EVIL)\n    assert not EVIL, EVIL\n"
        "def test_b():\n    import os\n    os.write(1, EVIL.encode())\n"
    )
    bench.build()

    for more in ((), ("-s", "-vv"), ("--tb=native", "-rA", "--color=yes")):
        ran = bench.run(*more)

        assert ran.verdict.exit is ExitCode.TESTS_FAILED
        plain = re.sub(r"\x1b\[[0-9;]*m", "", bench.text)
        assert not set(plain) & set("\x1b\x07\x9b\u202e"), more
        assert "\n::error" not in plain
        names = [getattr(each, "nodeid", "") for each in bench.events]
        assert all(name.isprintable() for name in names)


def test_other_files_come_home(bench: Bench) -> None:
    """--log-file, and what else options write."""
    bench.write(test_a_py="import logging\ndef test_a(): logging.getLogger().warning('noted')\n")
    bench.build()

    bench.run("--log-file=logs/all.txt")

    assert "noted" in (bench.root / "logs/all.txt").read_text()


def test_the_cache_comes_home_and_goes_back(bench: Bench) -> None:
    """--lf goes by the project's own cache, also if it was filled elsewhere."""
    bench.write(test_a_py="import pytest\n@pytest.mark.parametrize('i', range(5))\ndef test_a(i): assert i != 3\n")
    bench.build()
    bench.run()
    assert json.loads((bench.root / ".pytest_cache/v/cache/lastfailed").read_text()) == {"test_a.py::test_a[3]": True}

    (bench.root / ".pytest_cache/v/cache/lastfailed").write_text('{"test_a.py::test_a[1]": true}')
    ran = bench.run("--lf")

    assert (ran.counts.passed, ran.counts.collected) == (1, 1)


def test_informational_options(bench: Bench) -> None:
    """--version runs no tests: nothing is to be proven."""
    ran = bench.run("--fixtures", "-q")

    assert (ran.verdict.exit, ran.verdict.message) == (
        ExitCode.PASSED,
        "pytest printed information; no tests ran",
    )
    assert "tmp_path" in bench.text


def test_a_reporting_plugin_of_the_host(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees the results as if the tests had run here."""
    plugin = bench.runs.parent / "host_reporter.py"
    plugin.write_text(
        "def pytest_runtest_logreport(report):\n"
        "    if report.when == 'call':\n"
        "        open('"
        + str(bench.runs.parent / "seen")
        + "', 'a').write(f'{report.nodeid} {report.outcome} {report.capstdout}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(plugin.parent))
    bench.write(test_a_py="def test_a(): print('x' * 5000)\n")
    bench.build()

    bench.run("--on-host=-p", "--on-host=host_reporter")

    assert (bench.runs.parent / "seen").read_text().split() == ["test_a.py::test_a", "passed", "x" * 5000]


def test_undecodable_names(bench: Bench) -> None:
    """A file name that is not UTF-8 is a name all the same."""
    bench.build()
    name = os.fsdecode(b"test_\xe4.py")
    (bench.pod.workdir / name).write_text("def test_x(): assert 0\n")

    ran = bench.run()

    assert ran.verdict.exit is ExitCode.TESTS_FAILED
    assert ran.counts.failed == 1


STRANGE = """
import logging, sys, warnings
import pytest

def pytest_collect_file(file_path, parent):
    if file_path.name == "strange.txt":
        return File.from_parent(parent, path=file_path)

class File(pytest.File):
    def collect(self):
        for name in ("nul \\0 nul", "lone \\udce4", "line\\nfeed", "a::b", "", "\\x1b[31m", "e\\u0301 \\U0001f600"):
            for works in (True, False):
                yield Item.from_parent(self, name=f"{name} {works}", works=works)

class Item(pytest.Item):
    def __init__(self, *, works, **more):
        super().__init__(**more)
        self.works = works
        self.add_marker("nul\\0marker")
    def runtest(self):
        print(f"says {self.name!a} \\udce4 \\0".encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        logging.getLogger().warning("\\udce4 \\0 " + self.name)
        self.user_properties.append(("\\udce4", "\\0" + self.name))
        warnings.warn("\\udce4 \\0 " + self.name)
        assert self.works, "\\udce4 \\0 " + self.name
    def reportinfo(self):
        return self.path, 0, self.name
"""


def test_strange_names_and_texts(bench: Bench) -> None:
    """A plugin may name its tests as it likes: NUL, surrogates, terminal codes."""
    bench.write(conftest_py=STRANGE)
    (bench.root / "strange.txt").touch()
    bench.build()

    ran = bench.run("-v")

    assert (ran.counts.passed, ran.counts.failed) == (7, 7), ran
    assert (ran.verdict.exit, ran.verdict.proven) == (ExitCode.TESTS_FAILED, True)
    assert r"nul \x00 nul True" in bench.text
    assert (bench.run_dir / "junit.xml").exists()


def test_output_of_any_bytes(bench: Bench) -> None:
    bench.write(
        test_a_py="import os, sys\ndef test_a():\n    os.write(1, bytes(range(256)))\n"
        "    sys.stdout.buffer.write(bytes(range(256)))\n    os.write(2, b'\\xed\\xb3\\xa4')\n"
    )
    bench.build()

    assert [bench.run(option).verdict.exit for option in ("-s", "-rA")] == [ExitCode.PASSED] * 2


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "xdist"])
def test_tests_that_are_collected_twice(bench: Bench, workers: tuple[str, ...]) -> None:
    """One id twice is two tests, and each has to end."""
    bench.write(test_a_py=PASSES)
    bench.build()

    ran = bench.run("--keep-duplicates", "test_a.py", "test_a.py", *workers)

    assert ran.verdict.exit is ExitCode.PASSED, ran
    assert ran.counts.passed == 2
    collected = [event for event in bench.events if type(event).__name__ == "TestsCollected"]
    assert len(collected) == 1


def test_each_worker_runs_all_tests(bench: Bench) -> None:
    """--dist=each: one id on each worker."""
    bench.write(test_a_py="def test_a(): pass\ndef test_b(): pass\n")
    bench.build()

    ran = bench.run("--dist=each", "--tx=2*popen")

    assert (ran.verdict.exit, ran.counts.passed) == (ExitCode.PASSED, 4), ran


def test_xdist_that_stops_at_the_first_failure_is_a_failure(bench: Bench) -> None:
    """xdist ends with 2 then, as if somebody had interrupted it."""
    bench.write(test_a_py="import pytest\n@pytest.mark.parametrize('i', range(9))\ndef test_a(i): assert i\n")
    bench.build()

    ran = bench.run("-n2", "-x")

    assert (ran.verdict.exit, ran.interrupted) == (ExitCode.TESTS_FAILED, None)


@pytest.mark.parametrize(
    ("call", "expected"),
    [("pytest.exit('enough')", 2), ("pytest.exit('enough', returncode=7)", 7), ("raise KeyboardInterrupt", 2),
     ("pytest.exit('enough', returncode=0)", 2), ("pytest.exit('enough', returncode=12)", 1)],
)  # fmt: skip
def test_exit_from_a_test_is_not_an_interrupt_of_the_user(bench: Bench, call: str, expected: int) -> None:
    """The process ends with pytest's own code, not with 130."""
    bench.write(test_a_py=f"import pytest\ndef test_a(): pass\ndef test_b(): {call}\n")
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.interrupted, ran.counts.passed) == (expected, None, 1)


@pytest.mark.parametrize(("code", "expected"), [(42, 42), (6, 6), (11, 1), (127, 1)])
def test_exit_code_of_a_plugin_is_passed_on(bench: Bench, code: int, expected: int) -> None:
    """Unless it has another meaning here."""
    bench.write(conftest_py=f"def pytest_sessionfinish(session):\n    session.exitstatus = {code}\n", test_a_py=PASSES)
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.verdict.message, ran.pytest_exit) == (
        expected,
        f"pytest exited with {code}",
        code,
    ) or (code == 6 and ran.verdict.message == "too many warnings" and ran.verdict.exit == expected)


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("pytest_configure(config): pytest.exit('x', returncode=7)", 7),
        ("pytest_configure(config): pytest.exit('x')", 2),
        ("pytest_configure(config): 1 / 0", 3),
        ("pytest_sessionstart(session): pytest.exit('x', returncode=7)", 7),
        ("pytest_collection_modifyitems(items): pytest.exit('x', returncode=9)", 9),
        ("pytest_sessionfinish(session): pytest.exit('x', returncode=9)", 9),
        ("pytest_cmdline_main(config): return 8", 8),
        # pytest itself ends with 0 here, without one test.
        ("pytest_runtestloop(session): return True", 12),
        ("pytest_runtest_protocol(item): return True", 12),
        ("pytest_collection_modifyitems(items): items.clear()", 5),
    ],
)
def test_exit_from_a_hook_is_that_of_pytest_and_never_green(bench: Bench, hook: str, expected: int) -> None:
    bench.write(conftest_py=f"import pytest\ndef {hook}\n", test_a_py=PASSES)
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.interrupted) == (expected, None), ran


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only"])
@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["serial", "xdist"])
def test_set_up_without_tests_is_not_called_passed(bench: Bench, option: str, workers: tuple[str, ...]) -> None:
    fixture = "import pytest\n@pytest.fixture\ndef f(): pass\n"
    bench.write(test_a_py=f"{fixture}def test_a(f): assert 0\ndef test_b(): pass\n")
    bench.build()

    ran = bench.run(option, *workers)

    assert (ran.verdict.exit, ran.verdict.message) == (ExitCode.PASSED, "2 tests set up or planned, none run")
    assert ran.counts.passed == 0


RERUNS = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(3):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        last = attempt == 2 or not any(report.failed for report in reports)
        for report in reports:
            if report.failed and not last:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
            if report.outcome == "rerun":
                break
        if last:
            break
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True

def pytest_report_teststatus(report):
    if report.outcome == "rerun":
        return "rerun", "R", ("RERUN", {"yellow": True})
"""


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["serial", "xdist"])
def test_attempts_that_are_repeated_are_not_counted_as_passed(bench: Bench, workers: tuple[str, ...]) -> None:
    """As pytest-rerunfailures reports them, of calls and of fixtures."""
    bench.write(
        conftest_py=RERUNS,
        test_a_py="import pytest\nseen = []\n"
        "@pytest.fixture\ndef flaky():\n    seen.append(1)\n    assert len(seen) > 5\n"
        "def test_flaky():\n    seen.append(1)\n    assert len(seen) > 2\n"
        "def test_set_up(flaky): pass\n"
        "def test_broken(): assert 0\n",
    )
    bench.build()

    ran = bench.run(*workers)

    assert (ran.counts.passed, ran.counts.failed, ran.counts.errors) == (2, 1, 0)
    assert ran.verdict.exit is ExitCode.TESTS_FAILED
    assert "6 rerun" in bench.text
    told = [event for event in bench.events if type(event).__name__ == "TestReported" and event.when == "call"]
    assert len(told) == 3


def test_events_while_it_happens(bench: Bench) -> None:
    """A result is told while the next test still runs."""
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
    _wait_for(path.exists)
    time.sleep(0.1)
    action()  # type: ignore[operator]


def _run_of_another_host(bench: Bench) -> Path:
    """Have a run of a minute in the pod that nobody watches, and return its directory."""
    bench.write(test_a_py="import time\ndef test_slow(): time.sleep(60)\n")
    bench.build()
    run = bench.pod.state_directory / "runs" / "20251231-000000-0000"
    request = {"run": run.name, "argv": [bench.pod.python, "-m", "pytest"], "cwd": str(bench.pod.workdir),
               "color": False, "width": 80}  # fmt: skip
    submit = agent_argv("submit", python=bench.pod.python, entry=bench.pod.entry)
    bench.pod.run(submit, stdin=json.dumps({"request": request}).encode() + b"\n", timeout=10)
    _wait_for((run / "begin.json").exists)
    return run


def _wait_for(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sigterm_ends_the_supervisor_and_its_run(tmp_path: Path) -> None:
    """A pod that is deleted ends at once, not after its grace."""
    pod = LocalPod(tmp_path / "pod", sys.executable)
    pod.wait_ready()
    (pod.workdir / "test_a.py").write_text("import time\ndef test_slow(): time.sleep(60)\n")
    request = {"run": "r", "argv": [pod.python, "-m", "pytest"], "cwd": str(pod.workdir), "color": False, "width": 80}
    submit = agent_argv("submit", python=pod.python, entry=pod.entry)
    pod.run(submit, stdin=json.dumps({"request": request}).encode() + b"\n", timeout=10)
    begin = pod.state_directory / "runs/r/begin.json"
    _wait_for(begin.exists)
    pid = json.loads(begin.read_text())["pid"]

    started = time.monotonic()
    pod.serve.send_signal(signal.SIGTERM)

    assert pod.serve.wait(10) == 0
    assert time.monotonic() - started < 5
    assert not Path(f"/proc/{pid}").exists()
    pod.close()
