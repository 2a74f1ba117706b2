"""The agent tells what a process in its container sees, and never the value of a variable."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.pod.agent import runner_facts
from seatrial.pod.agent.runner_facts import collect, fingerprint, traits
from seatrial.runner.facts_decoder import decode_facts

AGENT = Path(runner_facts.__file__).with_name("agent.py")
KEY = b"k" * 32


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def service(host, port, **more):
    return {"name": "web", "host": host, "port": port, "names": [host], "http": None, **more}


def test_program_prints_facts_that_the_host_decodes(listener):
    question = json.dumps({"key": KEY.hex(), "services": [service("localhost", listener)]})
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(AGENT), "facts"],
        input=question.encode() + b"\n",
        env={"PASSWORD": "sesame-open", "SEATRIAL_X": "1", "TZ": "UTC"},
        capture_output=True,
        check=True,
    )
    facts = decode_facts(done.stdout)

    assert b"sesame" not in done.stdout
    assert {"PASSWORD", "TZ"} <= facts.variables.keys()
    assert "SEATRIAL_X" not in facts.variables
    assert (facts.time_zone, facts.hostname) == ("UTC", socket.gethostname())
    assert [(each.name, each.error) for each in facts.names] == [("localhost", "")]
    assert [(each.error, each.loopback) for each in facts.ports] == [("", True)]


def test_closed_port_and_unknown_name_are_told(listener):
    answer = collect(KEY, [service("unknown.invalid", listener)], {})

    assert answer["names"][0]["addresses"] == 0
    assert answer["names"][0]["error"]
    assert answer["ports"][0]["error"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("URL", "", ["empty"]),
        ("URL", "http://localhost:80/", ["loopback"]),
        ("HOST", "127.0.0.1", ["loopback"]),
        ("HOST", "localhost.example.org", []),
        ("HOST", "my-localhost", []),
        ("DB_PORT", "tcp://10.96.0.7:5432", ["service-link"]),
        ("DB_URL", "tcp://10.96.0.7:5432", []),
        ("URL", "http://order_api:80", ["underscore-host"]),
        ("URL", "postgresql://us_er:pass_word@db:5432/my_db", []),
        ("HOST", "order_api:80", ["underscore-host"]),
        ("PATH", "/usr/bin:/opt/my_tool/bin", []),
    ],
)
def test_traits_of_values(name, value, found):
    assert traits(name, value) == found


def test_fingerprint_depends_on_key_name_and_value():
    prints = {fingerprint(*each) for each in ((KEY, "A", "1"), (b"x", "A", "1"), (KEY, "B", "1"), (KEY, "A", "2"))}

    assert len(prints) == 4
    assert fingerprint(KEY, "A", "1") == fingerprint(KEY, "A", "1")


def test_name_and_value_are_separated():
    assert fingerprint(KEY, "AB", "C") != fingerprint(KEY, "A", "BC")
