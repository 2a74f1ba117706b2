from __future__ import annotations

import errno

import pytest
from seatrial.model.errors import (
    CommandFailed,
    EnvironmentFailed,
    ExitCode,
    Inconclusive,
    NotReady,
    OutOfTime,
    SeatrialError,
    UsageError,
    understood,
)
from seatrial.model.finding import Finding, ObjectRef


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError, 4), (EnvironmentFailed, 10), (OutOfTime, 11), (Inconclusive, 12)],
)
def test_each_error_has_the_exit_code_of_its_kind(error: type[SeatrialError], code: int) -> None:
    assert error("it failed").exit_code == code


@pytest.mark.parametrize("code", [6, 9, 14, 125])
def test_exit_codes_of_plugins_are_passed_on_as_the_same_object(code: int) -> None:
    assert ExitCode(code) is ExitCode(code)
    assert ExitCode(code) == code


@pytest.mark.parametrize("code", [-1, 126, 130, 255])
def test_exit_codes_of_shells_and_signals_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match=str(code)):
        ExitCode(code)


def test_command_failed_takes_the_last_line_as_reason_without_pointers_to_help() -> None:
    tail = "starting\nError: no such image\nRun 'docker --help' for more information\n\n"
    error = CommandFailed(["docker", "run", "a b"], 125, tail)

    assert error.message == "docker run 'a b' failed with exit code 125"
    assert error.reason == "Error: no such image"
    assert CommandFailed(["true"], 1, "").reason == ""
    helm = "Error: YAML parse error on web.yaml\n\nUse --debug flag to render out invalid YAML\n"
    assert CommandFailed(["helm", "template"], 1, helm).reason == "Error: YAML parse error on web.yaml"


def test_not_ready_takes_reason_and_hint_of_its_first_finding() -> None:
    finding = Finding(cause="Crash", subject=ObjectRef(kind="Pod", name="web"), message="it crashed", hint="read it")
    error = NotReady("web is not ready", [finding])

    assert (error.reason, error.hint) == ("it crashed", "read it")
    assert (NotReady("x", []).reason, NotReady("x", [finding], reason="mine").reason) == ("", "mine")


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (OSError(errno.ENOENT, "No such file", "/x/a"), "cannot use /x/a", ""),
        (OSError(errno.ENOSPC, "No space left", "/x/a"), "cannot use /x/a", "find the full file system: df -h"),
        (OSError(errno.EIO, "Input/output error"), "cannot use a file", ""),
        (OSError(errno.EACCES, "Permission denied", b"/x/\xff"), r"cannot use /x/\udcff", ""),
        (
            UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates"),
            r"'a\udcff' is not valid UTF-8",
            "rename the file",
        ),
    ],
)
def test_understood_converts_errors_of_files_and_names(error: Exception, message: str, hint: str) -> None:
    converted = understood(error)

    assert isinstance(converted, SeatrialError)
    assert converted.message == message
    assert converted.hint.startswith(hint)
    assert converted.__cause__ is error


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), OSError(errno.EPIPE, "Broken pipe"), KeyboardInterrupt(), UsageError("x")]
)
def test_understood_returns_other_errors_unchanged(error: BaseException) -> None:
    assert understood(error) is error
