"""Constants that the agent in the pod and the host share: environment variables, paths, file names, kinds of messages.

Each name stands here once. The host imports this module, the agent has a copy of it beside its own files: standard
library only, Python 3.9 or newer. Every command of the agent imports it, so it stays small. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os

__all__ = [
    "AGENT_DIRECTORY",
    "AGENT_ENTRY",
    "BEGIN_FILE",
    "CHANNELS",
    "CLIENTS_DIRECTORY",
    "COLLECTED_DIRECTORY",
    "COLLECTED_FILE",
    "COLLECTED_MARK",
    "DEBUGGER_FILE",
    "DEFAULT_STATE_DIRECTORY",
    "EXIT_FILE",
    "FRAMES_FILE",
    "GLOB_MARK",
    "ORIGINAL_ENVIRONMENT_VARIABLE",
    "OUTPUT_FILE",
    "PACKAGE",
    "PLUGIN",
    "PROBES_ENTRY",
    "REQUEST_FILE",
    "RUN_DIRECTORY_VARIABLE",
    "SEED_DIRECTORY",
    "STATE_VARIABLE",
    "TERMINAL_VARIABLE",
    "WORKER_PLUGIN",
    "ChunkKind",
    "RecordKind",
    "SubmitError",
    "state_directory",
]

# Environment variables.

STATE_VARIABLE = "SEATRIAL_STATE_DIRECTORY"
"""The state directory of the pod. The host sets it in every container of the runner pod."""

RUN_DIRECTORY_VARIABLE = "SEATRIAL_RUN_DIRECTORY"
"""The directory of a run. The supervisor sets it for the command; the plugin removes it."""

TERMINAL_VARIABLE = "SEATRIAL_TERMINAL"
"""Path of the pseudo-terminal for a debugger. The supervisor sets it for the command; the plugin removes it."""

ORIGINAL_ENVIRONMENT_VARIABLE = "SEATRIAL_ORIGINAL_ENVIRONMENT"
"""JSON of the variables that the supervisor replaced. The plugin restores them and removes it."""

# Paths in the pod.

PACKAGE = "seatrial_agent"
"""Name of the agent's package in the pod."""

PLUGIN = f"{PACKAGE}.plugin"
WORKER_PLUGIN = f"{PACKAGE}.xdist_worker"

AGENT_DIRECTORY = f"/seatrial/agent/{PACKAGE}"
"""Mount path of the ConfigMap with the agent's files, in every container."""

AGENT_ENTRY = f"{AGENT_DIRECTORY}/agent.py"
PROBES_ENTRY = f"{AGENT_DIRECTORY}/probes.py"

DEFAULT_STATE_DIRECTORY = "/seatrial/run"
"""Mount path of the emptyDir that the containers share, and the state directory unless `STATE_VARIABLE` names one."""

SEED_DIRECTORY = "/seatrial/tree"
"""Mount path of the volume for synced folders in the init container that fills it."""

CLIENTS_DIRECTORY = "/seatrial/clients/bin"
"""Directory of the client programs in a debug pod. It appears once all of them are written."""


def state_directory() -> str:
    """Return the state directory of this process."""
    return os.environ.get(STATE_VARIABLE, DEFAULT_STATE_DIRECTORY)


# Files in the directory of a run.

FRAMES_FILE = "frames"
"""The frame log that the plugin writes."""

OUTPUT_FILE = "output"
"""What the processes of a run print to stdout and stderr."""

COLLECTED_DIRECTORY = "collected"
"""Report files and coverage data, as far as they exist during the run."""

COLLECTED_FILE = "collected.tar"
"""The archive of all files that the host collects after a run."""

EXIT_FILE = "exit.json"
"""How the command ended."""

BEGIN_FILE = "begin.json"
"""When the command started, its pid and the Python version of the agent."""

REQUEST_FILE = "request.json"
"""The request. Its modification time shows when a host last followed the run."""

DEBUGGER_FILE = "debugger"
"""Pid of the process in a debugger; exists while the debugger uses the terminal."""

# Placeholders in the arguments of a command.

COLLECTED_MARK = "@SEATRIAL_COLLECTED@"
"""Stands for the directory whose files are collected after the run."""

GLOB_MARK = "@SEATRIAL_GLOB@"
"""Prefix of an argument that the agent expands as a shell does. No other argument is expanded."""


class ChunkKind:
    """Kinds of the chunks that `tail` prints; their format is described in `tail.py`."""

    FRAMES = "F"
    OUTPUT = "O"
    COLLECTED = "H"
    TICK = "T"
    BEGUN = "B"
    EXITED = "X"
    LOST = "L"
    DONE = "D"
    HEARTBEAT = "."


CHANNELS = {ChunkKind.FRAMES: FRAMES_FILE, ChunkKind.OUTPUT: OUTPUT_FILE, ChunkKind.COLLECTED: COLLECTED_FILE}
"""Files of a run that `tail` sends from any offset, by the kind of their chunks."""


class RecordKind:
    """Kinds of the records in the frame log; their fields are described in `plugin.py`."""

    SESSION = "session"
    HEADER = "header"
    COLLECTING = "collecting"
    COLLECT_REPORT = "collect"
    DESELECTED = "deselected"
    COLLECTED = "collected"
    VERBOSITY = "verbose"
    COUNT = "count"
    TEST_STARTED = "s"
    TEST_PASSED = "p"
    TEARDOWN_PASSED = "t"
    TEST_FINISHED = "f"
    REPORT = "report"
    WORKER = "worker"
    BLOB = "blob"
    WARNING = "warning"
    TEXT = "text"
    INTERRUPT = "interrupt"
    INTERNAL_ERROR = "internal"
    OUTPUT_SIZE = "o"
    DEBUGGER = "debugger"
    PROPERTY = "property"
    ATTRIBUTE = "attribute"
    IMPORTS = "imports"
    LOOP_FINISHED = "looped"
    FINISHING = "finishing"
    END = "end"


class SubmitError:
    """Values of `error` in the answer to `submit`."""

    BUSY = "busy"
    """Another run holds the runner; `reason` is its id."""
    DIFFERS = "differs"
    """The files are not the expected ones; `files` are those of the pod."""
    REFUSED = "refused"
    """A member of the archive is refused."""
    OS = "os"
    """The system refuses a change of the files."""
    DEAD = "dead"
    """No supervisor reads requests."""
