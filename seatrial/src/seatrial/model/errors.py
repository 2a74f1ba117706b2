"""Errors that a user can read, and the exit codes of the process.

SeatrialError            base; each subclass has an exit code
├── UsageError           4: wrong input, found before anything is created
│   └── WrongInput       several mistakes; has the findings
├── EnvironmentFailed    10: cluster, image, chart or service failed once creation began
│   ├── AccessDenied     the Kubernetes API refused a request for lack of rights
│   ├── CommandFailed    a program failed; has its command line and the end of its output
│   ├── NotServed        the Kubernetes API does not serve a kind or path
│   └── NotReady         an object will not become ready; has the findings
├── OutOfTime            11: a deadline passed
└── Inconclusive         12: the tests may have passed, but nothing proves it
"""

from __future__ import annotations

import errno
import shlex
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from seatrial.model.finding import Finding

__all__ = [
    "FOREIGN_CODES",
    "AccessDenied",
    "CommandFailed",
    "EnvironmentFailed",
    "ExitCode",
    "Inconclusive",
    "NotReady",
    "NotServed",
    "OutOfTime",
    "SeatrialError",
    "UsageError",
    "WrongInput",
    "understood",
]

_POINTERS: Final = ("--help' for more information", "Use --debug flag to render out invalid YAML")
"""Last lines of Docker and Helm that tell where to look further, after the reason."""

_OF_THE_MACHINE: Final = frozenset(
    (
        *(errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.EMFILE),
        *(errno.ENAMETOOLONG, errno.ENFILE, errno.ENOENT, errno.ENOSPC, errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM),
        *(errno.EROFS, errno.ESTALE),
    )
)
"""Errors of files and disks: caused by the machine or by a vanished file, not by a bug of seatrial."""


FOREIGN_CODES: Final = frozenset((*range(6, 10), *range(14, 126)))
"""Exit codes of pytest and its plugins that are passed on: neither seatrial nor shells and signals use them."""


class ExitCode(IntEnum):
    """Exit codes of the process. 0 to 5 are those of pytest; a code of `FOREIGN_CODES` is passed on."""

    PASSED = 0
    TESTS_FAILED = 1
    INTERRUPTED = 2
    PYTEST_INTERNAL = 3
    USAGE = 4
    NO_TESTS = 5
    ENVIRONMENT = 10
    OUT_OF_TIME = 11
    INCONCLUSIVE = 12
    PARITY_DIFFERS = 13

    @classmethod
    def _missing_(cls, value: object) -> ExitCode | None:
        if not isinstance(value, int) or value not in FOREIGN_CODES:
            return None
        code = int.__new__(cls, value)
        code._name_, code._value_ = f"FOREIGN_{value}", value
        # One object for each code, as for the members.
        return cls._value2member_map_.setdefault(value, code)  # type: ignore[return-value]


class SeatrialError(Exception):
    """A failure that a user can read.

    Attributes:
        message: one line, what failed.
        reason: one line, why; empty if unknown or obvious.
        hint: one line, what to do, best a command; empty if unknown.
        log: path of a file with details; empty if the error has no log.
        shown: whether it was printed already, with the result of the run that it ended.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ENVIRONMENT
    shown = False

    def __init__(self, message: str, *, reason: str = "", hint: str = "", log: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.hint = hint
        self.log = log


class UsageError(SeatrialError):
    """The input is wrong. Nothing was created."""

    exit_code = ExitCode.USAGE


class EnvironmentFailed(SeatrialError):
    """The environment could not be created, kept or removed."""


class AccessDenied(EnvironmentFailed):
    """The Kubernetes API refused a request because the user lacks the right."""


class NotServed(EnvironmentFailed):
    """The Kubernetes API does not serve a path: the server is too old, or a CustomResourceDefinition is missing."""


class CommandFailed(EnvironmentFailed):
    """A program failed.

    Attributes:
        argv: its command line.
        code: its exit code; negative for a signal, as in `subprocess`.
        tail: the last lines of its output.
    """

    def __init__(self, argv: Sequence[str], code: int, tail: str, *, hint: str = "", log: str = "") -> None:
        lines = [
            line
            for line in tail.strip().splitlines()
            if line.strip() and not any(pointer in line for pointer in _POINTERS)
        ]
        last = lines[-1] if lines else ""
        super().__init__(f"{shlex.join(argv)} failed with exit code {code}", reason=last, hint=hint, log=log)
        self.argv = tuple(argv)
        self.code = code
        self.tail = tail


class WrongInput(UsageError):
    """Several things in the input are wrong.

    Attributes:
        findings: each of them.
    """

    def __init__(self, message: str, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(message, reason=f"{first.subject}: {first.message}", hint=first.hint)
        self.findings = tuple(findings)


class NotReady(EnvironmentFailed):
    """An object or service that the tests need will not become ready.

    Attributes:
        findings: the causes, most likely first.
    """

    def __init__(self, message: str, findings: Sequence[Finding], *, reason: str = "", hint: str = "") -> None:
        first = findings[0] if findings else None
        if first:
            reason, hint = reason or first.message, hint or first.hint
        super().__init__(message, reason=reason, hint=hint)
        self.findings = tuple(findings)


class OutOfTime(SeatrialError):
    """A deadline passed."""

    exit_code = ExitCode.OUT_OF_TIME


class Inconclusive(SeatrialError):
    """The stream of results ended without proof that it is complete."""

    exit_code = ExitCode.INCONCLUSIVE


def understood(error: BaseException) -> BaseException:
    """Convert an error of the operating system, or of a file name that is not UTF-8, to a `SeatrialError`.

    Any other error is returned unchanged.
    """
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        reason = str(error.strerror)
        name = error.filename if error.filename is not None else ""
        hint = "find the full file system: df -h" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        message = f"cannot use {_shown_name(name)}" if name != "" else "cannot use a file"
        converted: SeatrialError = EnvironmentFailed(message, reason=reason, hint=hint)
    elif isinstance(error, UnicodeEncodeError) and error.encoding.lower().replace("_", "-") == "utf-8":
        converted = UsageError(f"{error.object!a} is not valid UTF-8", hint="rename the file or folder")
    else:
        return error
    converted.__cause__ = error
    return converted


def _shown_name(name: object) -> str:
    """Format a file name; bytes that are not UTF-8 are escaped."""
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else str(name)
    return text.encode(errors="backslashreplace").decode()
