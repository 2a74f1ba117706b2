"""Runs inside the pod, where names are names: asks each service its question until all answers are good.

`python3 ask.py QUESTIONS SECONDS`; prints a line of JSON each time an answer changes: {"name", "says"}, with nothing to
say when it is good. Standard library only, Python 3.9 or newer, nothing of ours.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

_PAUSE = 0.1
_PATIENCE = 5
_LONG = 200


def answer(question: dict[str, Any]) -> str:
    """Ask once; return what is wrong, empty if nothing is."""
    try:
        if question["command"]:
            return _run(question["command"])
        if question["http"]:
            return _get(question)
        socket.create_connection((question["host"], question["port"]), timeout=_PATIENCE).close()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(getattr(error, "reason", "") or error) or type(error).__name__
    return ""


def _run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=2 * _PATIENCE, check=False)
    said = (done.stderr or done.stdout).strip()[-_LONG:]
    return "" if done.returncode == 0 else said or f"exit code {done.returncode}"


def _get(question: dict[str, Any]) -> str:
    url = f"{question['scheme']}://{question['host']}:{question['port']}{question['http']}"
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as response:  # noqa: S310 - http or https only
            status = response.status
    except urllib.error.HTTPError as error:
        status = error.code
    return "" if status in question["status"] else f"HTTP status {status}"


def main(questions: list[dict[str, Any]], seconds: float) -> None:
    """Ask until all is well or the time is over."""
    until = time.monotonic() + seconds
    said: dict[str, str] = {}
    while True:
        for question in questions:
            name = question["name"]
            if said.get(name) == "":
                continue
            says = answer(question)
            if said.get(name) != says:
                said[name] = says
                print(json.dumps({"name": name, "says": says}), flush=True)
        if not any(said.values()) or time.monotonic() > until:
            return
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), float(sys.argv[2]))
