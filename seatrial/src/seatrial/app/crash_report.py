"""Write the report about an internal error, ready to paste into an issue."""

from __future__ import annotations

import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from seatrial import __version__
from seatrial.model.redaction import hide_in_traceback, hide_settings
from seatrial.model.text import safe_text

__all__ = ["report_text", "write_report"]

_PACKAGES = ("click", "httpx2", "lightkube", "msgspec", "pytest", "rich")


def report_text(error: BaseException, argv: Sequence[str]) -> str:
    """Return the report about the unexpected `error` of `seatrial ARGV`."""
    return "\n".join(
        [
            f"# seatrial {__version__}: {type(error).__name__}",
            "",
            f"- command: `seatrial {shlex.join(hide_settings(argv))}`",
            f"- Python {platform.python_version()} ({sys.executable}) on {platform.platform()}",
            f"- {', '.join(f'{name} {_version(name)}' for name in _PACKAGES)}",
            "",
            "```",
            safe_text(hide_in_traceback("".join(traceback.format_exception(error)), argv)).rstrip(),
            "```",
            "",
        ]
    )


def write_report(error: BaseException, argv: Sequence[str]) -> str:
    """Write the report about the unexpected `error` of `seatrial ARGV` to a new file, and return its path."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="seatrial-crash-", suffix=".md", delete=False, encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.write(report_text(error, argv))
    return str(Path(file.name))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
