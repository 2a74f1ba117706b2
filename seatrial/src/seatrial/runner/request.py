"""What a run of the tests is asked for."""

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
    """What to run.

    Attributes:
        argv: the command, as `options.command_line` made it.
        root: the project on the host.
        directory: the working directory in the pod; what `root` is there.
        where: a line for people that says where this runs: "pod shop/test-runner".
        tree: the files that must be what the pod has; None if nothing was compared.
        delta: what has to be sent so that it has.
        expect: digest of what the pod has before that; empty: whatever it has.
        collect: globs of changed files that are copied from the pod into the working tree.
        informational: the command does not run tests.
        interactive: a debugger may ask for the user's terminal.
        cache: pytest's cache goes to the pod and comes back.
        junit: path that the user asked for; `junit.xml` in the run's directory is always written.
        files: what options ask for and the pod writes, as `options.command_line` says.
        reports: names of options whose value is a file that is written, for ini files and variables in the pod.
        deadline: for the tests alone.
        unsure: words that pytest in the pod has to tell from paths, as `options.command_line` says.
        paths_given: the user named paths.
        fixtures: what the tests may ask for, as `definition` makes it; None: no fixtures.
        python: the interpreter of the agent in the pod.
        entry: where the agent is in the pod.
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
    colour: bool = False
    width: int = 80
    unsure: tuple[Unsure, ...] = ()
    paths_given: bool = False
    fixtures: Mapping[str, Any] | None = None
    python: str = "python3"
    entry: str = AGENT_ENTRY
