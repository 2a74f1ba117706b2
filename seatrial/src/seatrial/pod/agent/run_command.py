"""Build the environment and the arguments of the command of a run."""

from __future__ import annotations

import glob
import json
import os
import shlex
from typing import Any

from .state_files import run_path, state
from .wire import (
    COLLECTED_DIRECTORY,
    COLLECTED_MARK,
    GLOB_MARK,
    ORIGINAL_ENVIRONMENT_VARIABLE,
    PLUGIN,
    RUN_DIRECTORY_VARIABLE,
)

__all__ = ["environment", "expand", "expand_one"]


def environment(request: dict[str, Any], base: dict[str, str]) -> dict[str, str]:
    """Return the environment of the command: that of the container and the request, and variables that load the plugin.

    The plugin restores these variables once pytest has loaded it, so that child processes of tests do not see them.
    """
    env = {**base, **request.get("env", {})}
    loading = {
        "PYTHONPATH": _joined(os.pathsep, state("lib"), env.get("PYTHONPATH")),
        "PYTEST_PLUGINS": _joined(",", env.get("PYTEST_PLUGINS"), PLUGIN),
        # Before the options of the user, which have priority. The directory of the image may not be writable.
        "PYTEST_ADDOPTS": _joined(" ", "-o " + shlex.quote("cache_dir=" + state("cache")), env.get("PYTEST_ADDOPTS")),
    }
    original = {name: env.get(name) for name in loading}
    env.update(loading)
    env[RUN_DIRECTORY_VARIABLE] = run_path(request["run"])
    env[ORIGINAL_ENVIRONMENT_VARIABLE] = json.dumps(original)
    env.setdefault("COVERAGE_FILE", run_path(request["run"], COLLECTED_DIRECTORY, "coverage", ".coverage"))
    for place in ("coverage", "files"):
        os.makedirs(run_path(request["run"], COLLECTED_DIRECTORY, place), exist_ok=True)
    return env


def expand(argv: list[str], directory: str, collected: str) -> list[str]:
    """Return the arguments with marked globs expanded and `COLLECTED_MARK` replaced by the directory `collected`.

    The host marks the arguments that are paths. Parent folders are created, because some options open their file while
    pytest parses its arguments.
    """
    expanded: list[str] = []
    for word in argv:
        argument = word
        if COLLECTED_MARK in word:
            argument = word.replace(COLLECTED_MARK, collected)
            os.makedirs(os.path.dirname(argument[argument.index(collected) :]), exist_ok=True)
        if argument.startswith(GLOB_MARK):
            expanded += expand_one(argument[len(GLOB_MARK) :], directory)
        else:
            expanded.append(argument)
    return expanded


def expand_one(pattern: str, directory: str) -> list[str]:
    """Expand `*` in a word as a shell does: return sorted paths, or the word if nothing matches."""
    found = sorted(glob.glob(os.path.join(glob.escape(directory), pattern)))
    if not os.path.isabs(pattern):
        found = [os.path.relpath(path, directory) for path in found]
    if pattern.endswith("/"):
        found = [path + "/" for path in found]
    return [f"./{path}" if path.startswith("-") else path for path in found] or [pattern]


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
