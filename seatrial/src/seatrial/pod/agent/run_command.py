"""Environment and arguments of the command of a run."""

from __future__ import annotations

import glob
import json
import os
import shlex
from typing import Any

from .state_files import run_path, state
from .wire import COLLECTED_MARK, GLOB_MARK, ORIGINAL_ENVIRONMENT_VARIABLE, PLUGIN, RUN_DIRECTORY_VARIABLE

__all__ = ["environment", "expand", "expand_one"]


def environment(request: dict[str, Any], base: dict[str, str]) -> dict[str, str]:
    """Return the environment of the command: the container's, the user's, and what brings our plugin in.

    The plugin undoes the last part as soon as pytest has loaded it: the tests' own child processes never see it.
    """
    env = {**base, **request.get("env", {})}
    ours = {
        "PYTHONPATH": _joined(os.pathsep, state("lib"), env.get("PYTHONPATH")),
        "PYTEST_PLUGINS": _joined(",", env.get("PYTEST_PLUGINS"), PLUGIN),
        # In front of the user's own, which win: the image's directory may not be writable, and the cache goes home.
        "PYTEST_ADDOPTS": _joined(" ", "-o " + shlex.quote("cache_dir=" + state("cache")), env.get("PYTEST_ADDOPTS")),
    }
    original = {name: env.get(name) for name in ours}
    env.update(ours)
    env[RUN_DIRECTORY_VARIABLE] = run_path(request["run"])
    env[ORIGINAL_ENVIRONMENT_VARIABLE] = json.dumps(original)
    env.setdefault("COVERAGE_FILE", run_path(request["run"], "home", "coverage", ".coverage"))
    for place in ("coverage", "files"):
        os.makedirs(run_path(request["run"], "home", place), exist_ok=True)
    return env


def expand(argv: list[str], directory: str, home: str) -> list[str]:
    """Return the arguments with the marked ones expanded, and `COLLECTED_MARK` replaced by the directory for files.

    The host marks what may be expanded: it tells paths of the configured command from values of options. Folders for
    files are created: some options open their file while pytest parses its arguments.
    """
    expanded: list[str] = []
    for word in argv:
        argument = word
        if COLLECTED_MARK in word:
            argument = word.replace(COLLECTED_MARK, home)
            os.makedirs(os.path.dirname(argument[argument.index(home) :]), exist_ok=True)
        if argument.startswith(GLOB_MARK):
            expanded += expand_one(argument[len(GLOB_MARK) :], directory)
        else:
            expanded.append(argument)
    return expanded


def expand_one(pattern: str, directory: str) -> list[str]:
    """Return what a shell makes of `*` in a word: sorted paths, or the word itself if nothing matches."""
    found = sorted(glob.glob(os.path.join(glob.escape(directory), pattern)))
    if not os.path.isabs(pattern):
        found = [os.path.relpath(path, directory) for path in found]
    if pattern.endswith("/"):
        found = [path + "/" for path in found]
    return [f"./{path}" if path.startswith("-") else path for path in found] or [pattern]


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
