"""Results of unusual pytest sessions: texts of any bytes, repeated tests, exit codes of plugins."""

from __future__ import annotations

import os
import re

import pytest
from seatrial.model.errors import ExitCode

from runner.bench import PASSES, Bench


def test_output_and_names_of_tests_have_no_escape_sequences(bench: Bench) -> None:
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


def test_information_option_prints_without_tests(bench: Bench) -> None:
    """--version runs no tests, so no proof is needed."""
    ran = bench.run("--fixtures", "-q")

    assert (ran.verdict.exit, ran.verdict.message) == (
        ExitCode.PASSED,
        "pytest printed information; no tests ran",
    )
    assert "tmp_path" in bench.text


def test_reporting_plugin_of_the_host_gets_the_reports(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the results as if the tests had run on the host."""
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


def test_names_that_are_not_utf8_are_reported(bench: Bench) -> None:
    """For example names of files."""
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


def test_unusual_names_and_texts_are_reported(bench: Bench) -> None:
    """Plugins may give tests any name: with NUL, surrogates, escape sequences."""
    bench.write(conftest_py=STRANGE)
    (bench.root / "strange.txt").touch()
    bench.build()

    ran = bench.run("-v")

    assert (ran.counts.passed, ran.counts.failed) == (7, 7), ran
    assert (ran.verdict.exit, ran.verdict.proven) == (ExitCode.TESTS_FAILED, True)
    assert r"nul \x00 nul True" in bench.text
    assert (bench.run_dir / "junit.xml").exists()


def test_output_may_have_any_bytes(bench: Bench) -> None:
    bench.write(
        test_a_py="import os, sys\ndef test_a():\n    os.write(1, bytes(range(256)))\n"
        "    sys.stdout.buffer.write(bytes(range(256)))\n    os.write(2, b'\\xed\\xb3\\xa4')\n"
    )
    bench.build()

    assert [bench.run(option).verdict.exit for option in ("-s", "-rA")] == [ExitCode.PASSED] * 2


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "xdist"])
def test_test_that_is_collected_twice_counts_twice(bench: Bench, workers: tuple[str, ...]) -> None:
    """Two tests with one id both have to end."""
    bench.write(test_a_py=PASSES)
    bench.build()

    ran = bench.run("--keep-duplicates", "test_a.py", "test_a.py", *workers)

    assert ran.verdict.exit is ExitCode.PASSED, ran
    assert ran.counts.passed == 2
    collected = [event for event in bench.events if type(event).__name__ == "TestsCollected"]
    assert len(collected) == 1


def test_dist_each_counts_tests_of_all_workers(bench: Bench) -> None:
    """--dist=each: one id on each worker."""
    bench.write(test_a_py="def test_a(): pass\ndef test_b(): pass\n")
    bench.build()

    ran = bench.run("--dist=each", "--tx=2*popen")

    assert (ran.verdict.exit, ran.counts.passed) == (ExitCode.PASSED, 4), ran


def test_xdist_with_exitfirst_is_a_failure(bench: Bench) -> None:
    """xdist ends with 2 then, as after Ctrl-C."""
    bench.write(test_a_py="import pytest\n@pytest.mark.parametrize('i', range(9))\ndef test_a(i): assert i\n")
    bench.build()

    ran = bench.run("-n2", "-x")

    assert (ran.verdict.exit, ran.interrupted) == (ExitCode.TESTS_FAILED, None)


@pytest.mark.parametrize(
    ("call", "expected"),
    [("pytest.exit('enough')", 2), ("pytest.exit('enough', returncode=7)", 7), ("raise KeyboardInterrupt", 2),
     ("pytest.exit('enough', returncode=0)", 2), ("pytest.exit('enough', returncode=12)", 1)],
)  # fmt: skip
def test_pytest_exit_in_a_test_is_not_an_interrupt_by_the_user(bench: Bench, call: str, expected: int) -> None:
    """The process ends with pytest's own code, not with 130."""
    bench.write(test_a_py=f"import pytest\ndef test_a(): pass\ndef test_b(): {call}\n")
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.interrupted, ran.counts.passed) == (expected, None, 1)


@pytest.mark.parametrize(("code", "expected"), [(42, 42), (6, 6), (11, 1), (127, 1)])
def test_exit_code_of_a_plugin_is_passed_on(bench: Bench, code: int, expected: int) -> None:
    """Unless the code has another meaning in seatrial."""
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
def test_pytest_exit_in_a_hook_is_never_a_success(bench: Bench, hook: str, expected: int) -> None:
    bench.write(conftest_py=f"import pytest\ndef {hook}\n", test_a_py=PASSES)
    bench.build()

    ran = bench.run()

    assert (ran.verdict.exit, ran.interrupted) == (expected, None), ran


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only"])
@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["serial", "xdist"])
def test_setup_only_is_not_called_passed(bench: Bench, option: str, workers: tuple[str, ...]) -> None:
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
def test_repeated_attempts_do_not_count_as_passed(bench: Bench, workers: tuple[str, ...]) -> None:
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
