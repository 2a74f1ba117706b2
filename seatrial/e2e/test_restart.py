"""Test that the next command resumes stopped or paused nodes, as after a power failure or a suspended laptop."""

from __future__ import annotations

import json
import time

import pytest
from shop_project import NAME, containers, docker

ENOUGH = 100
"""Seconds: nodes and pods need 12 here, the rest is for probes on a busy machine."""


@pytest.mark.parametrize(("how", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_next_command_resumes_stopped_cluster(shop, how, state):
    nodes = containers(f"{NAME}-life")
    docker(how, *nodes)
    began = time.monotonic()
    told = shop("status")
    assert time.monotonic() - began < 15
    assert f"its nodes are {state}; seatrial up or seatrial test starts it" in told.out
    assert json.loads(shop("status", "--json").out)["state"] == state
    assert "seatrial status" in shop("logs", "web", code=10).err

    done = shop("test")

    assert "8 passed" in done.out
    assert "starting it" in done.err
    assert done.seconds < ENOUGH
    assert shop.stage("preflight")["facts"] == {"started": f"{NAME}-life"}
    shop("test")
    assert shop.stage("preflight")["outcome"] == "unchanged"
