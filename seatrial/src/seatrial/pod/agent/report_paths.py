"""Redirect report files to the directory of collected files, if ini files, `addopts` or variables name them.

The host replaces paths in the arguments that it knows. All others are replaced here, after pytest has parsed them and
before plugins read their options.

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
"""File name of each report of pytest-cov in the directory of collected files."""


def redirect(config: Any, names: list[str], directory: str) -> None:
    """Replace the values of options and ini settings that name report files.

    Args:
        config: of pytest.
        names: options whose value is a report file or folder.
        directory: directory of collected files.
    """
    for option in _registered(config):
        name = next((each for each in option.names() if each in names), "")
        if not name:
            continue
        value = getattr(config.option, option.dest, None) or _setting(config, option.dest)
        # With "none", pytest-json-report writes no file.
        if isinstance(value, str) and value and value != "none" and not value.startswith(directory):
            setattr(config.option, option.dest, _inside(directory, name, value))
    _redirect_coverage(config, directory)


def _registered(config: Any) -> list[Any]:
    parser = config._parser
    groups = {id(group): group for group in (parser._anonymous, *parser._groups)}
    return [option for group in groups.values() for option in group.options]


def _setting(config: Any, name: str) -> Any:
    """Return the ini setting with the name of an option, such as `log_file`."""
    try:
        return config.getini(name)
    except (KeyError, ValueError):
        return None


def _redirect_coverage(config: Any, directory: str) -> None:
    """Redirect the reports of pytest-cov, whose option is a mapping from kind of report to file or None."""
    plugin = config.pluginmanager.get_plugin("_cov")
    for holder in (config.option, getattr(plugin, "options", None)):
        reports = getattr(holder, "cov_report", None)
        if not isinstance(reports, dict):
            continue
        for kind, file in reports.items():
            if kind in COVERAGE_FILES and not str(file).startswith(directory):
                reports[kind] = os.path.join(directory, "coverage", COVERAGE_FILES[kind])


def _inside(directory: str, name: str, value: str) -> str:
    """Return the path of a file in the directory of collected files; create its folder."""
    file = os.path.basename(value.rstrip("/"))
    folder = os.path.join(directory, "files", name.strip("-"))
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, "report" if file in ("", ".", "..") else file)
