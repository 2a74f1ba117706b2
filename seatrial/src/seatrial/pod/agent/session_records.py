"""Convert session data of pytest to records: options, collected items, warnings and JUnit properties.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import inspect
import json
import linecache
import os
import platform
import sys
from typing import Any, Callable

import pluggy
import pytest

from .wire import RecordKind

__all__ = ["collected_tree", "junit_recorder", "options", "safe_json", "warning_record"]

_OPTIONS = (
    "verbose", "no_header", "no_summary", "reportchars", "disable_warnings", "showlocals", "tbstyle", "xfail_tb",
    "showcapture", "fulltrace", "color", "code_highlight", "fold_skipped", "force_short_summary", "durations",
    "durations_min", "collectonly", "capture", "setupshow", "setuponly", "setupplan", "max_warnings", "junitprefix",
)  # fmt: skip
_INI = (
    "console_output_style", "verbosity_assertions", "verbosity_test_cases", "verbosity_subtests", "junit_suite_name",
    "junit_logging", "junit_log_passing_tests", "junit_duration_report", "junit_family", "max_warnings",
)  # fmt: skip


_DEEPEST = 20
_getline = linecache.getline


def safe_json(value: Any) -> str:
    """Return a value as ASCII JSON. Values that JSON does not support are converted with `str`."""
    try:
        return _encode(value)
    except (TypeError, ValueError):
        return _encode(_plain(value, 0))


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  # __str__ of the user may raise anything
        return f"<{type(value).__name__}: {type(error).__name__} in __str__>"


_encode = json.JSONEncoder(default=_shown, separators=(",", ":")).encode


def _plain(value: Any, depth: int) -> Any:
    """Return a value with JSON types only. Slow; handles cycles and keys that are not strings."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth < _DEEPEST:
        if isinstance(value, dict):
            return {_shown(key): _plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [_plain(item, depth + 1) for item in value]
    return _shown(value)


def options(config: pytest.Config, terminal: Any, *, verbatim: bool) -> dict[str, Any]:
    """Return the settings of this session that the host needs to render it."""
    ini = {}
    for name in _INI:
        try:
            ini[name] = config.getini(name)
        except (KeyError, ValueError):
            continue
    version = platform.python_version()
    shown = f"platform {sys.platform} -- Python {version}"
    pypy = getattr(sys, "pypy_version_info", None)
    if pypy:
        shown += "[pypy-{}-{}]".format(".".join(map(str, pypy[:3])), pypy[3])
    shown += f", pytest-{pytest.__version__}, pluggy-{pluggy.__version__}"
    if config.option.verbose > 0:
        shown += " -- " + str(sys.executable)
    return {
        "version": 1,
        "python": version,
        "pytest": pytest.__version__,
        "platform": shown,
        "rootdir": str(config.rootpath),
        "directory": str(config.invocation_params.dir),
        "options": {name: getattr(config.option, name) for name in _OPTIONS if hasattr(config.option, name)},
        "ini": ini,
        "terminal": terminal is not None,
        "verbatim": verbatim,
        "showfspath": bool(terminal.showfspath) if terminal is not None and not verbatim else None,
        "workers": getattr(config.option, "dist", "no") != "no",
        "ci": any(os.environ.get(name) for name in ("CI", "BUILD_NUMBER")),
    }


def collected_tree(items: list[Any]) -> list[Any]:
    """Return the chain of nodes of each item, for `--collect-only`."""
    tree = []
    for item in items:
        chain = []
        for node in item.listchain()[1:]:
            documented = getattr(node, "obj", None)
            chain.append([str(node), node.nodeid, (inspect.getdoc(documented) if documented else None) or ""])
        tree.append(chain)
    return tree


def warning_record(message: Any, when: str, nodeid: str, location: Any) -> dict[str, Any]:
    """Return a warning with its source line, because the host does not have the file."""
    line = message.line
    if line is None:
        try:
            line = _getline(message.filename, message.lineno)
        except Exception:  # noqa: BLE001  # a test may have replaced functions that read files
            line = ""
    suffix = ""
    if message.source is not None:
        try:
            from _pytest.warnings import warning_record_to_str

            plain = type(message)(
                message.message, message.category, message.filename, message.lineno, line=message.line
            )
            suffix = warning_record_to_str(message)[len(warning_record_to_str(plain)) :]
        except Exception:  # noqa: BLE001  # the same, or an unknown version of pytest
            suffix = ""
    return {
        "text": _shown(message.message),
        "category": message.category.__name__,
        "module": message.category.__module__,
        "filename": message.filename,
        "lineno": message.lineno,
        "line": line,
        "suffix": suffix,
        "when": when,
        "nodeid": nodeid,
        "location": location,
    }


class _Attributes:
    """Receive the attributes of `record_xml_attribute`."""

    def __init__(self, nodeid: str, add: Callable[[str], None]) -> None:
        self._nodeid = nodeid
        self._add = add

    def add_attribute(self, name: str, value: Any) -> None:
        self._add(safe_json([RecordKind.ATTRIBUTE, self._nodeid, str(name), _shown(value)]))

    def add_property(self, name: str, value: Any) -> None:
        self._add(safe_json([RecordKind.ATTRIBUTE, self._nodeid, str(name), _shown(value)]))


class _Recorder:
    """Replace the JUnit writer for pytest's fixtures; the real one is on the host."""

    def __init__(self, family: str, add: Callable[[str], None]) -> None:
        self.family = "xunit1" if family == "legacy" else family
        self._add = add

    def node_reporter(self, report: Any) -> _Attributes:
        return _Attributes(str(getattr(report, "nodeid", report)), self._add)

    def add_global_property(self, name: str, value: Any) -> None:
        self._add(safe_json([RecordKind.PROPERTY, str(name), _shown(value)]))


def junit_recorder(config: pytest.Config, add: Callable[[str], None]) -> None:
    """Record the values of `record_testsuite_property` and `record_xml_attribute` for the JUnit file of the host."""
    try:
        from _pytest.junitxml import xml_key
    except ImportError:
        return
    recorder = _Recorder(config.getini("junit_family"), add)
    stash: Any = config.stash
    stash[xml_key] = recorder
    # pytest unregisters the object in the stash.
    config.pluginmanager.register(recorder, "seatrial-junit")
