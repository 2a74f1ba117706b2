"""Suites in pytest's own style, with arguments: what must look the same from a pod as it does locally."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One suite and what is done with it.

    Attributes:
        name: of the case.
        files: path -> text.
        steps: arguments of pytest, run one after the other in the same place; the last one is compared.
        exit: what the tool has to end with, where it is not what pytest ends with.
        unordered: the order of lines is not defined (xdist).
        loose: also the numbers in the output may differ: compare outcomes and JUnit only.
    """

    name: str
    files: dict[str, str]
    steps: tuple[tuple[str, ...], ...] = ((),)
    exit: int | None = None
    unordered: bool = False
    loose: bool = False
    env: dict[str, str] = field(default_factory=dict)


def _py(text: str) -> str:
    return dedent(text).lstrip()


_MIXED = {
    "test_mixed.py": _py("""
        import sys
        import warnings
        import logging
        import pytest

        @pytest.fixture
        def broken():
            print("before it breaks")
            raise RuntimeError("set-up")

        @pytest.fixture
        def breaks_later():
            yield
            print("while it breaks", file=sys.stderr)
            raise RuntimeError("tear-down")

        def test_passes():
            print("nobody sees this")

        def test_fails():
            print("on stdout")
            print("on stderr", file=sys.stderr)
            logging.getLogger("db").warning("a warning of the log")
            left = {"name": "a" * 30, "values": list(range(12))}
            assert left == {"name": "a" * 30, "values": list(range(11))}

        def test_error_in_setup(broken):
            pass

        def test_error_in_teardown(breaks_later):
            pass

        def test_fails_twice(breaks_later):
            assert 0

        @pytest.mark.xfail(reason="known")
        def test_xfail():
            assert 0

        @pytest.mark.xfail(reason="was known")
        def test_xpass():
            pass

        @pytest.mark.xfail(strict=True, reason="must fail")
        def test_xpass_strict():
            pass

        @pytest.mark.skip(reason="not today")
        def test_skip():
            pass

        @pytest.mark.skipif(True, reason="nor tomorrow")
        @pytest.mark.parametrize("i", range(3))
        def test_skipif(i):
            pass

        def test_skips_itself():
            pytest.skip("changed its mind")

        def test_warns():
            warnings.warn("old", DeprecationWarning)
            warnings.warn(UserWarning("also this"))

        def test_chained():
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise ValueError("outer") from error

        class TestClass:
            def test_method(self):
                assert "long text\\nwith lines" == "long text\\nwith other lines"

            @pytest.mark.parametrize(
                "word", ["a/b", "x::y", "[z]", "with space", "", "line\\nfeed", "tab\\t", "ü€😀", "\\x00"]
            )
            def test_ids(self, word):
                assert word != "x::y"
    """),
}

_SUBTESTS = {
    "test_subtests.py": _py("""
        import unittest

        def test_some_fail(subtests):
            for number in range(4):
                with subtests.test("number", number=number, word=str(number)):
                    print("for", number)
                    assert number % 2 == 0

        def test_all_pass(subtests):
            for number in range(2):
                with subtests.test(number=number):
                    pass

        class TestOld(unittest.TestCase):
            @unittest.expectedFailure
            def test_expected(self):
                self.fail()

            @unittest.skip("not now")
            def test_skipped(self):
                self.fail()

            def test_fails(self):
                self.assertEqual([1, 2], [1, 3])
    """),
}

# Locally, the letters of these are captured as if the test had printed them; from the pod they are shown.
_UNITTEST_SUBTESTS = {
    "test_subtests.py": _py("""
        import unittest

        class TestOld(unittest.TestCase):
            def test_it(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertNotEqual(number, 1)
    """),
}

_COLLECTION = {
    "test_good.py": "def test_good(): pass\n",
    "test_syntax.py": "def test_bad(: pass\n",
    "test_import.py": "import there_is_no_such_module\n",
    "test_skipped.py": "import pytest\npytest.skip('whole module', allow_module_level=True)\n",
}

_INTERNAL = {
    "conftest.py": _py("""
        def pytest_runtest_logfinish(nodeid):
            if nodeid.endswith("test_b"):
                raise RuntimeError("a plugin is broken")
    """),
    "test_it.py": "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\n",
}

_MANY = {
    "test_many.py": _py("""
        import pytest

        @pytest.mark.parametrize("i", range(1200))
        def test_many(i):
            assert i % 400 != 7
    """),
    "sub/test_more.py": _py("""
        import pytest

        @pytest.mark.parametrize("i", range(300))
        class TestMore:
            def test_a(self, i): pass
            def test_b(self, i): pass
    """),
}

_HUGE = {
    "test_huge.py": _py("""
        import sys

        def test_prints_a_lot():
            for number in range(30000):
                print(number, "x" * 60)

        def test_fails_after_a_lot():
            for number in range(20000):
                print(number, "ü" * 30)
            print("no line end", end="", file=sys.stderr)
            assert 0, "y" * 100000

        def test_binary():
            sys.stdout.buffer.write(bytes(range(256)))
            sys.stdout.flush()
            assert 0
    """),
}

_LAST_FAILED = {
    "test_cache.py": _py("""
        import pytest

        @pytest.mark.parametrize("i", range(10))
        def test_it(i):
            assert i not in (3, 7)
    """),
    "test_other.py": "def test_other(): pass\n",
}

_SELECT = {
    "pytest.ini": "[pytest]\nmarkers =\n    slow: takes long\naddopts = -ra\n",
    "tests/test_a.py": _py("""
        import pytest

        @pytest.mark.slow
        def test_slow(): pass
        def test_quick(): assert 0
        def test_quick_too(): pass
    """),
    "tests/deep/test_b.py": "import pytest\npytestmark = pytest.mark.slow\ndef test_deep(): pass\n",
}

_JUNIT = {
    "pytest.ini": "[pytest]\njunit_family = xunit1\njunit_suite_name = mine\njunit_logging = all\n",
    "test_properties.py": _py("""
        import pytest

        def test_property(record_property):
            record_property("key", "value <&>")
            print("captured")

        def test_attribute(record_xml_attribute):
            record_xml_attribute("assertions", "REQ-1")

        def test_suite(record_testsuite_property):
            record_testsuite_property("ARCH", "PPC")

        def test_control_characters():
            print("\\x1b[31mred\\x1b[0m \\x01")
            assert 0
    """),
}

_COVERAGE = {
    "pytest.ini": "[pytest]\npythonpath = src\n",
    "src/pkg/__init__.py": "",
    "src/pkg/code.py": "def used(x):\n    if x:\n        return 1\n    return 2\n\ndef unused():\n    return 3\n",
    "tests/test_code.py": "from pkg.code import used\n\ndef test_used():\n    assert used(1) == 1\n",
}

_PRINTS = {
    "test_prints.py": _py("""
        import sys, logging

        def test_one():
            print("one", end=" ")
            print("more")

        def test_two():
            print("two", file=sys.stderr)
            assert 0

        class TestThree:
            def test_three(self):
                print("three")
    """),
}

_LIVE_LOG = {
    "pytest.ini": "[pytest]\nlog_cli = true\nlog_cli_level = INFO\nlog_cli_format = %(levelname)s %(message)s\n",
    "test_log.py": _py("""
        import logging
        import pytest

        @pytest.fixture
        def fixture():
            logging.info("setting up")
            yield
            logging.info("tearing down")

        def test_logs(fixture):
            logging.info("in the test")
            logging.debug("not shown")

        def test_fails():
            logging.error("bad")
            assert 0
    """),
}

_PLUGIN = {
    "conftest.py": _py("""
        import pytest

        def pytest_addoption(parser):
            parser.addoption("--greet", default="")

        def pytest_report_header(config):
            return ["first line", "greeting: " + config.getoption("--greet")]

        def pytest_report_collectionfinish(items):
            return f"{len(items)} items, said the plugin"

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.section("from a plugin")
            terminalreporter.line("some text")

        def pytest_runtest_logreport(report):
            if report.when == "call" and report.failed:
                report.sections.append(("added by a plugin", "text"))

        def pytest_report_teststatus(report):
            if report.when == "call" and report.passed and "special" in report.nodeid:
                return "special", "S", ("SPECIAL", {"blue": True})

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session):
            session.config.get_terminal_writer().line("session is finishing")
    """),
    "test_it.py": "def test_a(): pass\ndef test_special(): pass\ndef test_b(): assert 0\n",
}

_EXIT = {
    "test_exit.py": _py("""
        import pytest

        def test_first(): pass
        def test_exits(): pytest.exit("enough", returncode=%s)
        def test_never(): pass
    """),
}

_INTERRUPT = {
    "test_interrupt.py": "def test_a(): pass\ndef test_b():\n    raise KeyboardInterrupt\ndef test_c(): pass\n",
}

_DOCTEST = {"lib.py": _py('''
    def add(a, b):
        """
        >>> add(1, 2)
        3
        >>> add(1, 1)
        3
        """
        return a + b
''')}  # fmt: skip

CASES = (
    Case(name="mixed", files=_MIXED),
    Case(name="mixed-in-ci", files=_MIXED, env={"CI": "true"}),
    Case(name="mixed-not-in-ci", files=_MIXED, env={"CI": "", "BUILD_NUMBER": ""}),
    Case(name="mixed-verbose", files=_MIXED, steps=(("-v",),)),
    Case(name="mixed-very-verbose", files=_MIXED, steps=(("-vv", "-rA"),)),
    Case(name="mixed-quiet", files=_MIXED, steps=(("-q",),)),
    Case(name="mixed-silent", files=_MIXED, steps=(("-qq",),)),
    Case(name="mixed-all-summaries", files=_MIXED, steps=(("-ra", "--durations=3", "--durations-min=100"),)),
    Case(name="mixed-passes", files=_MIXED, steps=(("-rP", "--tb=short"),)),
    Case(name="mixed-line", files=_MIXED, steps=(("--tb=line", "--no-header"),)),
    Case(name="mixed-native", files=_MIXED, steps=(("--tb=native", "-l"),)),
    Case(name="mixed-no-capture-shown", files=_MIXED, steps=(("--show-capture=no", "--no-summary"),)),
    Case(name="mixed-first", files=_MIXED, steps=(("-x",),)),
    Case(name="mixed-maxfail", files=_MIXED, steps=(("--maxfail=2", "-v"),)),
    Case(name="mixed-runxfail", files=_MIXED, steps=(("--runxfail", "-rf"),)),
    Case(name="mixed-no-warnings", files=_MIXED, steps=(("--disable-warnings", "-p", "no:logging"),)),
    Case(name="mixed-errors-of-warnings", files=_MIXED, steps=(("-W", "error", "-k", "warns"),)),
    Case(name="mixed-color", files=_MIXED, steps=(("--color=yes", "-v", "-ra"),)),
    Case(name="mixed-showlocals", files=_MIXED, steps=(("-l", "-k", "fails"),)),
    Case(name="mixed-setup-show", files=_MIXED, steps=(("--setup-show", "-k", "teardown or passes"),)),
    Case(name="mixed-setup-plan", files=_MIXED, steps=(("--setup-plan",),)),
    Case(name="mixed-setup-only", files=_MIXED, steps=(("--setup-only",),)),
    Case(name="mixed-count", files=_MIXED, steps=(("-o", "console_output_style=count"),)),
    Case(name="mixed-classic", files=_MIXED, steps=(("-o", "console_output_style=classic"),)),
    Case(name="subtests", files=_SUBTESTS),
    Case(name="unittest-subtests", files=_UNITTEST_SUBTESTS, loose=True),
    Case(name="subtests-verbose", files=_SUBTESTS, steps=(("-v", "-ra"),)),
    Case(name="collection-errors", files=_COLLECTION, exit=1),
    Case(name="collection-errors-continue", files=_COLLECTION, steps=(("--continue-on-collection-errors", "-ra"),)),
    Case(name="internal-error", files=_INTERNAL),
    Case(name="internal-error-in-conftest", files={"conftest.py": "1 / 0\n", "test_a.py": "def test_a(): pass\n"}),
    Case(name="no-tests", files={"test_none.py": "x = 1\n"}),
    Case(name="all-deselected", files=_SELECT, steps=(("-k", "nothing_like_this"),)),
    Case(name="wrong-usage", files=_SELECT, steps=(("--there-is-no-such-option",),)),
    Case(name="wrong-path", files=_SELECT, steps=(("no/such/dir",),)),
    Case(name="many", files=_MANY),
    Case(name="many-verbose", files=_MANY, steps=(("-v",),)),
    Case(name="huge-output", files=_HUGE),
    Case(name="huge-output-passes", files=_HUGE, steps=(("-rP", "-k", "lot"),)),
    Case(name="last-failed", files=_LAST_FAILED, steps=((), ("--lf",))),
    Case(name="failed-first", files=_LAST_FAILED, steps=((), ("--ff", "-v"))),
    Case(name="stepwise", files=_LAST_FAILED, steps=(("--sw",), ("--sw", "-v")), exit=1),
    Case(name="last-failed-none", files=_LAST_FAILED, steps=(("test_other.py",), ("--lf", "--lfnf=none"))),
    Case(name="new-first", files=_LAST_FAILED, steps=(("--nf",),)),
    Case(name="marker", files=_SELECT, steps=(("-m", "slow"),)),
    Case(name="not-marker", files=_SELECT, steps=(("-m", "not slow", "-v"),)),
    Case(name="keyword", files=_SELECT, steps=(("-k", "quick and not too", "tests"),)),
    Case(name="node-id", files=_SELECT, steps=(("tests/test_a.py::test_quick", "tests/deep"),)),
    Case(name="ignore-deselect", files=_SELECT,
         steps=(("--ignore=tests/deep", "--deselect", "tests/test_a.py::test_slow"),)),
    Case(name="collect-only", files=_MIXED, steps=(("--co",),)),
    Case(name="collect-only-quiet", files=_MANY, steps=(("--co", "-q"),)),
    Case(name="collect-only-counts", files=_MANY, steps=(("--co", "-qq"),)),
    Case(name="collect-only-verbose", files=_SELECT, steps=(("--co", "-v", "-m", "slow"),)),
    Case(name="collect-only-errors", files=_COLLECTION, steps=(("--co",),), exit=1),
    Case(name="strict-markers", files={"test_m.py": "import pytest\n@pytest.mark.unknown\ndef test_m(): pass\n"},
         steps=(("--strict-markers",),), exit=1),
    Case(name="unknown-marker", files={"test_m.py": "import pytest\n@pytest.mark.unknown\ndef test_m(): pass\n"}),
    Case(name="junit-properties", files=_JUNIT, steps=(("--junitxml=out.xml",),)),
    Case(name="junit-prefix", files=_MIXED, steps=(("--junitxml=out.xml", "--junit-prefix=pre", "-q"),)),
    Case(name="xdist", files=_MIXED, steps=(("-n", "2"),), unordered=True),
    Case(name="xdist-verbose", files=_SELECT, steps=(("-n", "2", "-v"),), unordered=True),
    Case(name="xdist-subtests", files=_SUBTESTS, steps=(("-n", "1"),), unordered=True),
    Case(name="xdist-crash",
         files={"test_crash.py": "import os\ndef test_a(): pass\ndef test_b(): os._exit(1)\ndef test_c(): pass\n"},
         steps=(("-n", "1"),), unordered=True, loose=True),
    Case(name="xdist-collection-errors", files=_COLLECTION, steps=(("-n", "2"),), exit=1, unordered=True),
    Case(name="xdist-first", files=_LAST_FAILED, steps=(("-n", "1", "-x"),), exit=1, unordered=True, loose=True),
    Case(name="coverage", files=_COVERAGE, steps=(("--cov=src", "--cov-report=term-missing"),)),
    Case(name="coverage-of-all", files=_COVERAGE, steps=(("--cov",),)),
    Case(name="coverage-of-all-xdist", files=_COVERAGE, steps=(("--cov", "-n", "2", "-q"),), unordered=True),
    Case(name="coverage-fails-under", files=_COVERAGE, steps=(("--cov=src", "--cov-fail-under=99"),)),
    Case(name="coverage-xdist", files=_COVERAGE, steps=(("--cov=src", "-n", "2", "-q"),), unordered=True),
    Case(name="no-capture", files=_PRINTS, steps=(("-s",),)),
    Case(name="no-capture-verbose", files=_PRINTS, steps=(("-sv",),)),
    Case(name="capture-sys", files=_PRINTS, steps=(("--capture=sys",),)),
    Case(name="live-log", files=_LIVE_LOG),
    Case(name="live-log-verbose", files=_LIVE_LOG, steps=(("-v",),)),
    Case(name="plugin", files=_PLUGIN, steps=(("--greet=hello",),)),
    Case(name="plugin-verbose", files=_PLUGIN, steps=(("--greet=hello", "-v"),)),
    Case(name="p-option", files={"my_plugin.py": "def pytest_report_header(): return 'loaded by -p'\n", **_SELECT},
         steps=(("-p", "my_plugin", "-o", "pythonpath=."),)),
    Case(name="exit", files={"test_exit.py": _EXIT["test_exit.py"] % "2"}),
    Case(name="exit-with-code", files={"test_exit.py": _EXIT["test_exit.py"] % "7"}),
    Case(name="exit-of-a-plugin",
         files={"conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 42\n", **_SELECT}),
    Case(name="exit-as-if-green", files={"test_exit.py": _EXIT["test_exit.py"] % "0"}, exit=2),
    Case(name="keyboard-interrupt", files=_INTERRUPT),
    # The full trace shows all of pytest's frames, and one of ours.
    Case(name="keyboard-interrupt-full", files=_INTERRUPT, steps=(("--full-trace", "-v"),), loose=True),
    Case(name="doctest", files=_DOCTEST, steps=(("--doctest-modules",),)),
    Case(name="below-the-root", files={"pytest.ini": "[pytest]\n", "a/test_x.py": "def test_x(): assert 0\n"},
         steps=(("--rootdir=a", "a"),)),
    Case(name="max-warnings", files={"test_w.py": "import warnings\ndef test_w(): warnings.warn('w')\n"},
         steps=(("--max-warnings=0",),)),
    Case(name="strict", files=_SELECT, steps=(("--strict",),)),
)  # fmt: skip
