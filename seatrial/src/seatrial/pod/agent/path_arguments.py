"""Tell paths from values of plugins' options, by the parser of pytest itself.

The host knows the options of pytest, pytest-cov and pytest-xdist only. A word behind any other option is sent as it was
typed, and looked at here, once all plugins have added their options.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from typing import Any

import pytest

from .run_command import expand_one

__all__ = ["choose_paths"]

_MARK = "<seatrial-unsure>"


def choose_paths(config: Any, request: dict[str, Any]) -> None:
    """Make `config.args` what was asked for: paths that the user typed replace those of the configured command.

    Args:
        config: pytest's; its arguments end with those that the request tells of, or nothing is done.
        request: `unsure`: a list of `{"behind", "word", "path", "user"}`; `paths_given`: the user's paths have already
            replaced those of the configured command; `cwd`.
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
            # Where paths were given, the host left out those of the command.
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
        # An option took it, and would have another kind of value.
        return False


def _positional(config: Any, typed: list[str]) -> list[str]:
    found: list[str] = config._parser.parse_known_args(typed).file_or_dir
    return found
