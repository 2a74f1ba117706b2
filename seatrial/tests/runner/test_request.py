from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from seatrial.pod.agent.wire import AGENT_ENTRY

from runner.answering_agent import request


def test_request_without_options_compares_no_files_and_runs_the_mounted_agent() -> None:
    made = request(Path("/project"))

    assert (made.tree, made.delta, made.expect, made.fixtures) == (None, None, "", None)
    assert (made.python, made.entry) == ("python3", AGENT_ENTRY)
    assert (made.cache, made.informational, made.interactive) == (True, False, False)


def test_request_cannot_change_during_a_run() -> None:
    with pytest.raises(FrozenInstanceError):
        request(Path("/project")).argv = ()  # type: ignore[misc]
