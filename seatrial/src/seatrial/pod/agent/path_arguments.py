"""Distinguish path arguments from values of plugin options, with pytest's own parser.

The host knows the options of pytest, pytest-cov and pytest-xdist. A word after any other option is sent unchanged, and
classified here, after all plugins have added their options.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from typing import Any

import pytest

from .run_command import expand_one

__all__ = ["choose_paths"]

_MARK = "<seatrial-unsure>"


def choose_paths(config: Any, request: dict[str, Any]) -> None:
    """Set `config.args`: paths of the user replace those of the configured command.

    Args:
        config: of pytest. Nothing is changed unless its arguments end with those of the request.
        request: `unsure` is a list of `{"behind", "word", "path", "user"}`; `paths_given` says whether the user's paths
            have replaced those of the configured command already; `cwd` is the working directory.
    """
    unsure = request.get("unsure") or []
    typed = [str(argument) for argument in config.invocation_params.args or ()]
    if not unsure or any(each["behind"] > len(typed) or typed[-each["behind"]] != each["word"] for each in unsure):
        return
    paths = {
        f"{_MARK}{number}": each for number, each in enumerate(unsure) if _is_positional(config, typed, each["behind"])
    }
    if not paths:
        return
    for mark, each in paths.items():
        typed[-each["behind"]] = mark
    given = request.get("paths_given") or any(each["user"] for each in paths.values())
    chosen: list[str] = []
    for word in _positional(config, typed):
        each = paths.get(word)
        if each is None:
            # If the user gave paths, the host has removed those of the configured command.
            chosen += [word] if request.get("paths_given") or not given else []
        elif each["user"]:
            chosen.append(each["path"])
        elif not given:
            chosen += expand_one(each["word"], request["cwd"])
    config.args[:] = chosen


def _is_positional(config: Any, typed: list[str], behind: int) -> bool:
    marked = [*typed]
    marked[-behind] = _MARK
    try:
        return _MARK in _positional(config, marked)
    except pytest.UsageError:
        # An option consumed the mark, which is not a valid value.
        return False


def _positional(config: Any, typed: list[str]) -> list[str]:
    found: list[str] = config._parser.parse_known_args(typed).file_or_dir
    return found
