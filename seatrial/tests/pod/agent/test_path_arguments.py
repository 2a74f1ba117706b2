"""Arguments that pytest in the pod interprets: globs, and words that are paths or values."""

from __future__ import annotations

import pytest
from runner.bench import PASSES, Bench
from seatrial.model.errors import ExitCode


def test_globs_are_expanded_in_the_pod(bench: Bench) -> None:
    """In paths of the configured command. A glob without a match is passed on."""
    bench.write(packages__a__tests__test_a_py=PASSES, packages__b__tests__test_b_py=PASSES)
    bench.build()
    command = (bench.pod.python, "-m", "pytest")

    assert bench.run(command=(*command, "packages/*/tests/")).counts.passed == 2
    assert bench.run(command=(*command, "nothing/*/")).verdict.exit is ExitCode.USAGE


@pytest.mark.parametrize("option", ["--ignore-glob", "--ignore-glob="])
def test_option_value_with_a_glob_is_not_expanded(bench: Bench, option: str) -> None:
    """pytest would take the second file as the only test file."""
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
def test_pytest_in_the_pod_distinguishes_values_from_paths(
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
def test_globs_after_an_option_of_a_plugin_are_expanded_if_they_are_paths(
    bench: Bench, configured: tuple[str, ...], passed: int
) -> None:
    bench.write(conftest_py=WORDS, tests__test_a_py=PASSES, tests__test_b_py=PASSES, more__test_c_py=PASSES)
    bench.build()

    assert bench.run(command=(bench.pod.python, "-m", "pytest", *configured)).counts.passed == passed, bench.text
