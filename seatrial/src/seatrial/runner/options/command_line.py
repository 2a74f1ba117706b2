"""Split a pytest command line into the command for the pod and the arguments of the host-side renderer.

Reads the file system to see which paths exist.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seatrial.model.errors import UsageError
from seatrial.pod.agent.report_paths import COVERAGE_FILES
from seatrial.pod.agent.wire import COLLECTED_MARK, GLOB_MARK
from seatrial.runner.options.table import Effect, Option, by_name

__all__ = ["Invocation", "ReportFile", "Unsure", "split_command_line"]

_PYTEST: Final = frozenset(("pytest", "py.test", "pytest.exe"))


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file or folder that an option asks for.

    Attributes:
        inside: its path among the collected files.
        target: where the user wants it; None: in the directory of the run only.
        needed: whether to warn if the pod has none.
        companion: name of a folder beside it that belongs to it; it need not exist.
    """

    inside: str
    target: Path | None
    needed: bool = True
    companion: str = ""


@dataclass(frozen=True, slots=True)
class Unsure:
    """A word after an option that only pytest in the pod knows: the value of the option, or a path.

    Attributes:
        behind: position in the command, counted from its end.
        word: the word as typed.
        path: the word relative to the project, if it is a path.
        user: typed by the user; else part of the configured command.
    """

    behind: int
    word: str
    path: str
    user: bool


@dataclass(frozen=True, slots=True)
class _Argument:
    """One option with its value, or one word without an option.

    Attributes:
        unsure: the word follows an option that is not in the table: its value, or a positional argument.
    """

    words: tuple[str, ...]
    option: Option | None = None
    name: str = ""
    value: str | None = None
    unsure: bool = False

    @property
    def positional(self) -> bool:
        """Whether it is a path, a node id or a package."""
        return not self.name and not self.unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The command for the pod and the options for the host.

    Attributes:
        argv: the command for the pod.
        host_args: arguments for the host-side renderer's pytest.
        junit: path of the JUnit file for the user.
        files: report files that options ask for and the pod writes.
        informational: an option such as `--help` runs no tests.
        debugger: the user asked for a debugger.
        color: yes, no or auto.
        unsure: words that are paths or values, as pytest in the pod decides.
        paths_given: the user named paths, so those of the configured command are not used.
    """

    argv: tuple[str, ...]
    host_args: tuple[str, ...] = ()
    junit: Path | None = None
    files: tuple[ReportFile, ...] = ()
    informational: bool = False
    debugger: bool = False
    color: str = "auto"
    unsure: tuple[Unsure, ...] = ()
    paths_given: bool = False


def split_command_line(
    command: Sequence[str],
    args: Sequence[str] = (),
    *,
    root: Path,
    cwd: Path | None = None,
    terminal: bool = False,
    reports: Collection[str] = (),
) -> Invocation:
    """Split a command line into the command for the pod and the arguments of the host-side renderer.

    Args:
        command: `[runner] command`; its part after `pytest` is treated like the user's, with paths from the root.
        args: the arguments of the user.
        root: the project.
        cwd: the user's working directory; default: the root.
        terminal: whether a debugger can use a terminal.
        reports: options of plugins that write a file, in addition to those of the table.

    Raises:
        UsageError: an option is refused, or needs a terminal and this process has no terminal.
    """
    stand = cwd or root
    split = _pytest_index(command)
    known = _Known(reports)
    ours, theirs = list(_parse(command[split:], known)), list(_parse(args, known))
    named = [_from_root(each, root, stand) for each in theirs if each.positional]
    paths = named or [_glob(each) for each in ours if each.positional]
    argv, host = [*_glob_words(command[:split]), *(word for each in paths for word in each.words)], _Host()
    unsure: list[tuple[int, Unsure]] = []
    for each, user in (*((each, False) for each in ours), *((each, True) for each in theirs)):
        if each.positional:
            continue
        if each.unsure:
            word = each.words[0]
            path = _relative_or_same(word, root, stand) if user else word
            unsure.append((len(argv), Unsure(0, word, path, user)))
            argv.append(word)
            continue
        if user:
            argv += host.take(_from_root(each, root, stand), cwd=stand, terminal=terminal)
        else:
            argv += host.take(each, cwd=root, terminal=terminal, configured=True)
    return Invocation(
        argv=tuple(argv), host_args=tuple(host.args), junit=host.junit, files=tuple(host.files),
        informational=host.informational, debugger=host.debugger, color=host.color,
        unsure=tuple(replace(each, behind=len(argv) - index) for index, each in unsure), paths_given=bool(named),
    )  # fmt: skip


class _Host:
    """Collects what concerns the host while options are processed."""

    def __init__(self) -> None:
        self.args: list[str] = []
        self.junit: Path | None = None
        self.files: list[ReportFile] = []
        self.informational = False
        self.debugger = False
        self.color = "auto"

    def take(self, each: _Argument, *, cwd: Path, terminal: bool, configured: bool = False) -> tuple[str, ...]:
        """Return the words of an option for the pod's command."""
        option, value = each.option, each.value or ""
        if option is None:
            return each.words
        name = option.names[0]
        if option.effect is Effect.REFUSED:
            raise UsageError(f"{each.name} cannot be used with tests in a pod", reason=option.note, hint=_hint(option))
        if option.effect is Effect.TERMINAL:
            if not terminal:
                raise UsageError(f"{each.name} needs a terminal", hint="run it in a terminal without redirection")
            self.debugger = True
        if option.effect is Effect.INFORMATION:
            self.informational = True
        if name == "--on-host":
            self.args.append(value)
            return ()
        if name == "--junit-xml":
            self.junit = _wanted(value, cwd)
            return ()
        if name == "--color":
            self.color = value
        if name == "--cov-report":
            return self._bring_coverage(each, value, cwd)
        if option.effect is Effect.COLLECTED:
            return self._bring(each, option, cwd, configured=configured)
        return each.words

    def _bring_coverage(self, each: _Argument, value: str, cwd: Path) -> tuple[str, ...]:
        """Redirect a coverage report to the collected files; `xml` is always written there by the agent's plugin."""
        kind, _, target = value.partition(":")
        if kind not in COVERAGE_FILES:
            return each.words
        inside = f"coverage/{COVERAGE_FILES[kind]}"
        self.files.append(ReportFile(inside, _wanted(target or COVERAGE_FILES[kind], cwd)))
        return (f"--cov-report={kind}:{COLLECTED_MARK}/{inside}",)

    def _bring(self, each: _Argument, option: Option, cwd: Path, *, configured: bool) -> tuple[str, ...]:
        """Redirect a report to the collected files, and record the target of the user."""
        value = each.value or posixpath.basename(option.default)
        if not value:
            return each.words
        name = option.names[0]
        inside = f"files/{option.default}" if not each.value else f"files/{name.strip('-')}/{_file_name(value)}"
        # An absolute path in the configuration, which other machines share, is a path in the image.
        target = None if configured and posixpath.isabs(value) else _wanted(value, cwd)
        self.files.append(ReportFile(inside, target, option.value != "none", option.companion))
        return each.words if option.value == "none" else (f"{name}={COLLECTED_MARK}/{inside}",)


class _Known:
    """The options of the table and those that the configuration adds."""

    def __init__(self, reports: Collection[str]) -> None:
        self._added = {name: Option((name,), Effect.COLLECTED, "one") for name in reports}

    def by_name(self, name: str) -> Option | None:
        return self._added.get(name) or by_name(name)


def _wanted(value: str, cwd: Path) -> Path:
    """Return the path on the host for a report file."""
    return Path(os.path.normpath(cwd / Path(os.path.expandvars(value)).expanduser()))


def _file_name(path: str) -> str:
    """Return the file name for a path of the user; a folder may be given as `.`."""
    name = posixpath.basename(path.rstrip("/"))
    return "report" if name in ("", ".", "..") else name


def _hint(option: Option) -> str:
    return option.note if option.note.startswith("use ") else ""


def _pytest_index(command: Sequence[str]) -> int:
    """Return the index of pytest's arguments in a command: after `pytest`, or at its end."""
    for index, word in enumerate(command):
        if posixpath.basename(word) in _PYTEST:
            return index + 1
    return len(command)


def _parse(args: Sequence[str], known: _Known) -> Iterator[_Argument]:
    """Split a command line into options and positional arguments, as argparse does."""
    words = list(args)
    behind_unknown = False
    while words:
        word = words.pop(0)
        if word == "--":
            # The words move before all options, where a leading dash would turn a word into an option.
            yield from (_Argument((f"./{each}" if each.startswith("-") else each,)) for each in words)
            return
        if not word.startswith("-") or word == "-":
            # An option of a plugin may take any number of values.
            yield _Argument((word,), unsure=behind_unknown)
            continue
        behind_unknown = False
        for each in (_long(word, words, known),) if word.startswith("--") else _short(word, words):
            yield each
            behind_unknown = each.option is None and each.value is None


def _long(word: str, words: list[str], known: _Known) -> _Argument:
    name, equals, value = word.partition("=")
    option = known.by_name(name)
    if equals:
        return _Argument((word,), option, name, value)
    if option is None:
        return _Argument((word,), None, name)
    takes = option.value == "one" or (option.value == "optional" and words and not words[0].startswith("-"))
    if takes and words:
        value = words.pop(0)
        return _Argument((word, value), option, name, value)
    return _Argument((word,), option, name)


def _short(word: str, words: list[str]) -> Iterator[_Argument]:
    """Split short options: `-xvs`, `-n4`, `-k name`."""
    rest = word[1:]
    while rest:
        name, rest = f"-{rest[0]}", rest[1:]
        option = by_name(name)
        if option is None:
            yield _Argument((name + rest,), None, name)
            return
        if option.value == "none":
            yield _Argument((name,), option, name)
            continue
        value = rest.removeprefix("=") if rest else (words.pop(0) if words else "")
        yield _Argument((name, value), option, name, value)
        return


def _glob(each: _Argument) -> _Argument:
    """Mark a path of the configured command that the agent expands."""
    word = each.words[0]
    return _Argument((GLOB_MARK + word,)) if _is_glob(word) else each


def _glob_words(words: Sequence[str]) -> Iterator[str]:
    """Mark words before pytest that the agent expands; never a word after an option, which may be its value."""
    before = ""
    for word in words:
        yield GLOB_MARK + word if _is_glob(word) and not before.startswith("-") else word
        before = word


def _is_glob(word: str) -> bool:
    return "*" in word and not word.startswith("-") and "::" not in word


def _from_root(each: _Argument, root: Path, cwd: Path) -> _Argument:
    """Return the argument with its path relative to the project's root, the working directory in the pod."""
    if each.positional:
        return _Argument((_relative(each.words[0], root, cwd),))
    if each.option is None or not each.option.path or each.value is None:
        return each
    value = _relative(each.value, root, cwd)
    words = (f"{each.name}={value}",) if len(each.words) == 1 else (each.words[0], value)
    return _Argument(words, each.option, each.name, value)


def _relative_or_same(word: str, root: Path, cwd: Path) -> str:
    try:
        return _relative(word, root, cwd)
    except UsageError:
        # The word may not be a path.
        return word


def _relative(word: str, root: Path, cwd: Path) -> str:
    path, separator, rest = word.partition("::")
    if not (cwd / path).exists():
        return word
    top = os.path.normpath(root)
    # Outside of the project, paths are relative to its root; a file may have the same path in both directories.
    for place in (cwd, root):
        found = Path(os.path.normpath(place / path))
        if found.is_relative_to(top) and found.exists():
            relative = found.relative_to(top).as_posix()
            slash = "/" if path.endswith("/") and relative != "." else ""
            return f"{relative}{slash}{separator}{rest}"
    raise UsageError(f"{path} is outside of the project", reason=f"the pod has only files below {root}")
