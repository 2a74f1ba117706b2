"""Write report files where they are collected from, whoever named them: an ini file, `addopts`, a variable.

The host replaces the paths in the arguments that it knows. All others are replaced here, once pytest has parsed them: a
plugin reads its options later.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
from typing import Any

__all__ = ["COVERAGE_FILES", "redirect"]

COVERAGE_FILES = {
    "xml": "coverage.xml", "json": "coverage.json", "html": "htmlcov", "lcov": "coverage.lcov",
    "annotate": "cov_annotate", "markdown": "coverage.md", "markdown-append": "coverage.md",
}  # fmt: skip
"""Reports of pytest-cov that are files, and their names among the collected files."""


def redirect(config: Any, names: list[str], home: str) -> None:
    """Change the values of options and ini settings that name report files.

    Args:
        config: pytest's.
        names: options whose value is a file or folder that is written.
        home: the directory of collected files.
    """
    for option in _registered(config):
        name = next((each for each in option.names() if each in names), "")
        if not name:
            continue
        value = getattr(config.option, option.dest, None) or _setting(config, option.dest)
        # "none" is how pytest-json-report is told to write no file.
        if isinstance(value, str) and value and value != "none" and not value.startswith(home):
            setattr(config.option, option.dest, _inside(home, name, value))
    _redirect_coverage(config, home)


def _registered(config: Any) -> list[Any]:
    parser = config._parser
    groups = {id(group): group for group in (parser._anonymous, *parser._groups)}
    return [option for group in groups.values() for option in group.options]


def _setting(config: Any, name: str) -> Any:
    """Return the ini setting of the same name: `log_file`."""
    try:
        return config.getini(name)
    except (KeyError, ValueError):
        return None


def _redirect_coverage(config: Any, home: str) -> None:
    """The same for pytest-cov, whose option is a mapping that its plugin keeps: kind of report to file, or None."""
    plugin = config.pluginmanager.get_plugin("_cov")
    for holder in (config.option, getattr(plugin, "options", None)):
        reports = getattr(holder, "cov_report", None)
        if not isinstance(reports, dict):
            continue
        for kind, file in reports.items():
            if kind in COVERAGE_FILES and not str(file).startswith(home):
                reports[kind] = os.path.join(home, "coverage", COVERAGE_FILES[kind])


def _inside(home: str, name: str, value: str) -> str:
    """Return where the file is collected from; its folder is created."""
    file = os.path.basename(value.rstrip("/"))
    directory = os.path.join(home, "files", name.strip("-"))
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, "report" if file in ("", ".", "..") else file)
