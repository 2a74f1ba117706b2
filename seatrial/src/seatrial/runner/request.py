"""The request for a test run: command, files, options and deadline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.image_inputs.delta import Delta
from seatrial.image_inputs.working_tree import Tree
from seatrial.model.deadline import Deadline
from seatrial.model.names import RunId
from seatrial.pod.agent.wire import AGENT_ENTRY
from seatrial.runner.options import ReportFile, Unsure

__all__ = ["Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A test run.

    Attributes:
        argv: the command, as `options.command_line` made it.
        root: the project on the host.
        directory: the working directory in the pod, which corresponds to `root`.
        where: where the tests run, for the header: "pod shop/test-runner".
        tree: the working tree that the pod must have; None: files are not compared.
        delta: files to send and delete before the run.
        expect: digest of the pod's files before that; empty: not checked.
        collect: globs of changed files that are copied from the pod into the working tree.
        informational: the command runs no tests.
        interactive: a debugger may use the user's terminal.
        cache: send pytest's cache to the pod and collect it.
        junit: path of the JUnit file for the user; `junit.xml` in the run's directory is always written.
        files: what options ask for and the pod writes, as `options.command_line` says.
        reports: names of options whose value is a file that is written, for ini files and variables in the pod.
        deadline: for the tests alone.
        unsure: words that pytest in the pod has to tell from paths, as `options.command_line` says.
        paths_given: the user named paths.
        fixtures: settings of the fixtures, as `fixture_settings` returns them; None: no fixtures.
        python: the interpreter of the agent in the pod.
        entry: path of the agent in the pod.
    """

    run: RunId
    argv: tuple[str, ...]
    root: Path
    directory: str
    where: str
    deadline: Deadline
    env: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    tree: Tree | None = None
    delta: Delta | None = None
    expect: str = ""
    collect: tuple[str, ...] = ()
    informational: bool = False
    interactive: bool = False
    cache: bool = True
    junit: Path | None = None
    files: tuple[ReportFile, ...] = ()
    reports: tuple[str, ...] = ()
    color: bool = False
    width: int = 80
    unsure: tuple[Unsure, ...] = ()
    paths_given: bool = False
    fixtures: Mapping[str, Any] | None = None
    python: str = "python3"
    entry: str = AGENT_ENTRY
