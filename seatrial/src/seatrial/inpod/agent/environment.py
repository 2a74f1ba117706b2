"""What the command of a run is started with."""

from __future__ import annotations

import glob
import json
import os
import shlex
from typing import Any

from .state import run_path, state

__all__ = ["PLUGIN", "environment", "expand"]

PLUGIN = "seatrial_agent.plugin"


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
    env["SEATRIAL_RUN_DIRECTORY"] = run_path(request["run"])
    env["SEATRIAL_ORIGINAL"] = json.dumps(original)
    env.setdefault("COVERAGE_FILE", run_path(request["run"], "home", "coverage", ".coverage"))
    for place in ("coverage", "files"):
        os.makedirs(run_path(request["run"], "home", place), exist_ok=True)
    return env


def expand(argv: list[str], directory: str, home: str) -> list[str]:
    """Return the arguments with `*` expanded as a shell does: sorted, and unchanged where nothing matches.

    `@SEATRIAL_HOME@` becomes the directory whose content goes home.
    """
    expanded: list[str] = []
    for word in argv:
        argument = word.replace("@SEATRIAL_HOME@", home)
        if "*" not in argument or argument.startswith("-") or "::" in argument:
            expanded.append(argument)
            continue
        found = sorted(glob.glob(os.path.join(glob.escape(directory), argument)))
        if not os.path.isabs(argument):
            found = [os.path.relpath(path, directory) for path in found]
        if argument.endswith("/"):
            found = [path + "/" for path in found]
        expanded += found or [argument]
    return expanded


def _joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
