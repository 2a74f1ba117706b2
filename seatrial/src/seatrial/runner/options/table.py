"""The table of pytest's options, and the reference page made from it. A test compares it with pytest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

__all__ = ["OPTIONS", "Effect", "Option", "by_name", "render", "report_options"]


class Effect(StrEnum):
    """Where an option acts, or what it does."""

    POD = "pod"
    BOTH = "both"
    HOST = "host"
    COLLECTED = "collected"
    INFORMATION = "information"
    TERMINAL = "terminal"
    REFUSED = "refused"


_MEANINGS: Final = {
    Effect.POD: "acts in the pod; the host shows the results",
    Effect.BOTH: "acts in the pod and in the display on the host",
    Effect.HOST: "acts on the host only",
    Effect.COLLECTED: "writes a file in the pod, copied to the path that was asked for and to the run's `reports/`",
    Effect.INFORMATION: "pytest prints information and runs no tests; its output is shown unchanged",
    Effect.TERMINAL: "needs a terminal on the host, to which the debugger in the pod is connected",
    Effect.REFUSED: "refused, exit code 4",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option under all its names.

    Attributes:
        names: the usual one first.
        value: whether it takes a value: never, always, or only if the next argument is not an option.
        effect: where it acts, or what it does.
        path: its value is a path of the project, which is made relative to the project's root.
        note: remarks.
        group: heading in the reference page.
        default: the file that it writes without a value, below `files/` of the collected files.
        companion: a folder that it writes next to its file.
    """

    names: tuple[str, ...]
    effect: Effect = Effect.POD
    value: Literal["none", "one", "optional"] = "none"
    path: bool = False
    note: str = ""
    group: str = ""
    default: str = ""
    companion: str = ""


_DEFAULTS: Final = {"--debug": "debug/pytestdebug.log", "--json-report": "json-report-file/.report.json"}
_COMPANIONS: Final = {"--html": "assets"}


def _rows(group: str, *rows: tuple[str, Effect, str, str]) -> tuple[Option, ...]:
    """Return options from rows of (names, effect, value, optionally followed by `path`, note)."""
    made = []
    for names, effect, value, note in rows:
        kind, _, path = value.partition(" ")
        assert kind in ("none", "one", "optional")  # noqa: S101  # a typing slip in the table below
        every = tuple(names.split())
        default, companion = _DEFAULTS.get(every[0], ""), _COMPANIONS.get(every[0], "")
        made.append(Option(every, effect, kind, bool(path), note, group, default, companion))  # type: ignore[arg-type]
    return tuple(made)


_POD, _BOTH, _HOST, _COLLECTED = Effect.POD, Effect.BOTH, Effect.HOST, Effect.COLLECTED
_INFORMATION, _TERMINAL, _REFUSED = Effect.INFORMATION, Effect.TERMINAL, Effect.REFUSED

OPTIONS: Final[tuple[Option, ...]] = (
    *_rows(
        "General",
        ("-k", _POD, "one", ""),
        ("-m", _POD, "one", ""),
        ("--markers", _INFORMATION, "none", ""),
        ("-x --exitfirst", _POD, "none", ""),
        ("--maxfail", _POD, "one", ""),
        ("--strict-config", _POD, "none", ""),
        ("--strict-markers", _POD, "none", ""),
        ("--strict", _POD, "none", "the option of pytest"),
        ("--fixtures --funcargs", _INFORMATION, "none", ""),
        ("--fixtures-per-test", _INFORMATION, "none", ""),
        ("--pdb", _TERMINAL, "none", "`breakpoint()` needs no option: the terminal is connected when it is reached"),
        ("--pdbcls", _POD, "one", "the debugger must be in the image"),
        ("--trace", _TERMINAL, "none", ""),
        ("--capture", _BOTH, "one", ""),
        ("-s", _BOTH, "none", "output of tests is shown in its place between the results"),
        ("--runxfail", _POD, "none", ""),
        ("--lf --last-failed", _POD, "none", "pytest's cache is sent to the pod and collected to `.pytest_cache`"),
        ("--ff --failed-first", _POD, "none", "see `--lf`"),
        ("--nf --new-first", _POD, "none", "by the times of the files in the pod: sent files are new"),
        ("--cache-show", _INFORMATION, "optional", "shows the cache in the pod"),
        ("--cache-clear", _POD, "none", ""),
        ("--lfnf --last-failed-no-failures", _POD, "one", ""),
        ("--sw --stepwise", _POD, "none", "see `--lf`"),
        ("--sw-skip --stepwise-skip", _POD, "none", ""),
        ("--sw-reset --stepwise-reset", _POD, "none", ""),
    ),
    *_rows(
        "Reporting",
        ("--durations", _BOTH, "one", "times are those of the pod"),
        ("--durations-min", _BOTH, "one", ""),
        ("-v --verbose", _BOTH, "none", ""),
        ("--no-header", _BOTH, "none", ""),
        ("--no-summary", _BOTH, "none", ""),
        ("--no-fold-skipped", _BOTH, "none", ""),
        ("--force-short-summary", _BOTH, "none", ""),
        ("-q --quiet", _BOTH, "none", ""),
        ("--verbosity", _BOTH, "one", ""),
        ("-r --report-chars", _BOTH, "one", ""),
        ("--disable-warnings --disable-pytest-warnings", _BOTH, "none", ""),
        ("-l --showlocals", _POD, "none", ""),
        ("--no-showlocals", _POD, "none", ""),
        ("--tb", _BOTH, "one", ""),
        ("--xfail-tb", _BOTH, "none", ""),
        ("--show-capture", _BOTH, "one", ""),
        ("--full-trace --fulltrace", _BOTH, "none", ""),
        ("--color", _BOTH, "one", ""),
        ("--code-highlight", _BOTH, "one", ""),
        ("--pastebin", _REFUSED, "one", "the pod would send the text; use it on the output instead"),
        ("--junit-xml --junitxml", _HOST, "one",
         (
             "written on the host from the received results, also when the pod dies; every run has "
             "a `junit.xml` in its directory"
         )),
        ("--junit-prefix --junitprefix", _BOTH, "one", ""),
    ),
    *_rows(
        "Warnings",
        ("-W --pythonwarnings", _POD, "one", ""),
        ("--max-warnings", _BOTH, "one", ""),
    ),
    *_rows(
        "Collection",
        ("--collect-only --collectonly --co", _BOTH, "none", ""),
        ("--pyargs", _POD, "none", ""),
        ("--ignore", _POD, "one path", ""),
        ("--ignore-glob", _POD, "one", "matched in the pod"),
        ("--deselect", _POD, "one path", ""),
        ("--confcutdir", _POD, "one path", ""),
        ("--noconftest", _POD, "none", ""),
        ("--keep-duplicates --keepduplicates", _POD, "none", ""),
        ("--collect-in-virtualenv", _POD, "none", ""),
        ("--continue-on-collection-errors", _POD, "none", ""),
        ("--import-mode", _POD, "one", ""),
        ("--doctest-modules", _POD, "none", ""),
        ("--doctest-report", _POD, "one", ""),
        ("--doctest-glob", _POD, "one", ""),
        ("--doctest-ignore-import-errors", _POD, "none", ""),
        ("--doctest-continue-on-failure", _POD, "none", ""),
    ),
    *_rows(
        "Session",
        ("-c --config-file", _POD, "one path", ""),
        ("--rootdir", _POD, "one path", ""),
        ("--basetemp", _POD, "one", "a directory in the pod"),
        ("-V --version", _INFORMATION, "none", "of the pod's pytest"),
        ("-h --help", _INFORMATION, "none", "of the pod's pytest, with its plugins"),
        ("-p", _POD, "one", "the plugin must be in the image; for a plugin on the host see `--on-host`"),
        ("--disable-plugin-autoload", _POD, "none", ""),
        ("--trace-config --traceconfig", _POD, "none", "its lines are in the log of the container"),
        ("--debug", _COLLECTED, "optional", "`pytestdebug.log`, or the path given"),
        ("-o --override-ini", _POD, "one", "values for the display also act on the host"),
        ("--assert", _POD, "one", ""),
        ("--setup-only --setuponly", _BOTH, "none", 'no test runs; the verdict says so and is not "passed"'),
        ("--setup-show --setupshow", _BOTH, "none", ""),
        ("--setup-plan --setupplan", _BOTH, "none", "see `--setup-only`"),
    ),
    *_rows(
        "Logging",
        ("--log-level", _POD, "one", ""),
        ("--log-format", _POD, "one", ""),
        ("--log-date-format", _POD, "one", ""),
        ("--log-cli-level", _POD, "one", "live lines are shown in their place between the results"),
        ("--log-cli-format", _POD, "one", ""),
        ("--log-cli-date-format", _POD, "one", ""),
        ("--log-file", _COLLECTED, "one", ""),
        ("--log-file-mode", _POD, "one", "every run writes a new file"),
        ("--log-file-level", _POD, "one", ""),
        ("--log-file-format", _POD, "one", ""),
        ("--log-file-date-format", _POD, "one", ""),
        ("--log-auto-indent", _POD, "one", ""),
        ("--log-disable", _POD, "one", ""),
    ),
    *_rows(
        "pytest-xdist (in the image)",
        ("-n --numprocesses", _BOTH, "one",
         (
             "workers are processes in the pod; `auto` counts the node's processors, not "
             "the pod's share of them"
         )),
        ("--maxprocesses", _POD, "one", ""),
        ("--max-worker-restart", _POD, "one", ""),
        ("--dist", _BOTH, "one", ""),
        ("--loadscope-reorder", _POD, "none", ""),
        ("--no-loadscope-reorder", _POD, "none", ""),
        ("--tx", _POD, "one", "as seen from the pod"),
        ("--px", _POD, "one", "as seen from the pod"),
        ("-d", _BOTH, "none", ""),
        ("--rsyncdir", _REFUSED, "one", "`[runner] sync` sends files to the pod"),
        ("--rsyncignore", _REFUSED, "one", "see `--rsyncdir`"),
        ("--testrunuid", _POD, "one", ""),
        ("--maxschedchunk", _POD, "one", ""),
        ("-f --looponfail", _REFUSED, "none", "use `seatrial watch`"),
    ),
    *_rows(
        "pytest-cov (in the image)",
        ("--cov", _POD, "optional", "the data is collected with the paths of the project, to `.coverage`"),
        ("--cov-reset", _POD, "none", ""),
        ("--cov-report", _COLLECTED, "one",
         (
             "`term` is shown; files are copied to where pytest-cov would write them; the XML "
             "has the paths of the project"
         )),
        ("--cov-config", _POD, "one path", ""),
        ("--no-cov-on-fail", _POD, "none", ""),
        ("--no-cov", _POD, "none", ""),
        ("--cov-fail-under", _POD, "one", ""),
        ("--cov-append", _POD, "none", "has no effect: every run measures again"),
        ("--cov-branch", _POD, "none", ""),
        ("--cov-precision", _POD, "one", ""),
        ("--cov-context", _POD, "one", ""),
    ),
    *_rows(
        "Plugins that write reports (in the image)",
        ("--html", _COLLECTED, "one", "pytest-html; its `assets` come too"),
        ("--self-contained-html", _POD, "none", ""),
        ("--css", _POD, "one path", ""),
        ("--report-log", _COLLECTED, "one", "pytest-reportlog"),
        ("--report-log-exclude-logs-on-passed-tests", _POD, "none", ""),
        ("--json-report", _COLLECTED, "none", "pytest-json-report: `.report.json`"),
        ("--json-report-file", _COLLECTED, "one", ""),
        ("--alluredir", _COLLECTED, "one", "allure-pytest: a folder"),
        ("--clean-alluredir", _POD, "none", "the folder in the pod is new for each run"),
        ("--benchmark-json", _COLLECTED, "one", "pytest-benchmark"),
        ("--ctrf", _COLLECTED, "one", "pytest-json-ctrf"),
        ("--md-report-output", _COLLECTED, "one", "pytest-md-report"),
        ("--nunit-xml", _COLLECTED, "one", "pytest-nunit"),
    ),
    *_rows(
        "seatrial",
        ("--on-host", _HOST, "one",
         (
             "an argument for the pytest that shows the results: `--on-host=-p --on-host=NAME` "
             "loads a reporting plugin there; no plugin is loaded by itself"
         )),
    ),
)  # fmt: skip

_NAMES: Final = {name: option for option in OPTIONS for name in option.names}


def by_name(name: str) -> Option | None:
    """Return the option with that name; None for abbreviations, which pytest does not accept either."""
    return _NAMES.get(name)


def report_options(more: Iterable[str] = ()) -> list[str]:
    """Return the names of options whose value is a file that pytest or a plugin writes.

    Args:
        more: names that the configuration adds.
    """
    found = {name for name, option in _NAMES.items() if option.effect is Effect.COLLECTED and option.value != "none"}
    return sorted((found | {"--junit-xml", *more}) - {"--cov-report"})


def render() -> str:
    """Return the reference page."""
    lines = [
        "# pytest options",
        "",
        "`run`, `test` and `watch` take pytest's arguments. pytest itself runs in the pod; a second pytest on the host",
        "shows its reports, so the terminal, JUnit and reporting plugins work as usual.",
        "",
        "An option that is not listed here, for example of a plugin, acts in the pod.",
        "Paths are relative to your working directory; the pod gets them relative to the project's root.",
        "Paths that you name replace those of `[runner] command`; other arguments are appended.",
        "The value of an option is never taken for a path. After an option that is not listed here, pytest in the pod",
        "decides whether a word is a value or a path: it knows the options of its plugins.",
        "",
        "`*` is expanded in the pod in the paths of `[runner] command`, as a shell does. It is not expanded in values",
        "of options, nor in arguments that you type: your shell has expanded those.",
        "",
        "`[runner] report-options` names options of other plugins whose value is a file that they write. Report files",
        "that an ini file or `PYTEST_ADDOPTS` in the image names come to the run's `reports/`, too:",
        "[get files back from the tests](../how-to/report-files-and-snapshots.md).",
        "",
        *(f"- **{effect}**: {meaning}" for effect, meaning in _MEANINGS.items()),
        "",
        "This page is generated from `seatrial/runner/options/table.py` by `python -m seatrial.runner.options`.",
    ]
    group = ""
    for option in OPTIONS:
        if option.group != group:
            group = option.group
            lines += ["", f"## {group}", "", "| option | where | remarks |", "|---|---|---|"]
        names = ", ".join(f"`{name}`" for name in option.names)
        lines.append(f"| {names} | {option.effect} | {option.note} |")
    return "\n".join([*lines, ""])
