"""Commands for a kept Compose environment."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from compose.fake_compose import FakeCompose, container
from fakes import FakeImages
from msgspec.structs import replace
from seatrial.app import compose_inspection
from seatrial.app.environments import create
from seatrial.app.wiring import machine
from seatrial.config import load


class Lines:
    def __iter__(self):
        yield b"followed\n"

    def close(self):
        pass


@pytest.fixture
def compose(project, monkeypatch):
    """A kept Compose environment of the project, with containers in memory."""
    (project / "compose.yaml").write_text("services: {}\n")
    with (project / "seatrial.toml").open("a") as file:
        file.write('\n[compose]\nfile = "compose.yaml"\n')
    monkeypatch.setenv("SEATRIAL_ENVIRONMENT", "compose")
    compose = FakeCompose(container("test-runner"), container("web"), container("db"))
    compose.texts = {"shop-aa-web-1": b"hello\n", "shop-aa-db-1": b"ready\n"}
    monkeypatch.setattr(compose, "follow", lambda *_, **__: Lines())
    this = machine()
    record = create(this, load(str(project)).project, command="up", say=print)
    this.ledger.write(replace(record, kept=True))
    this.ledger.close()
    env = SimpleNamespace(compose=compose, images=FakeImages(), directory=project / "env")
    monkeypatch.setattr("seatrial.app.wiring.compose_environment", lambda *_: env)
    monkeypatch.setattr(compose_inspection, "compose_environment", lambda *_: env)
    return compose


def test_status_shows_the_project_and_its_services(seatrial, compose):
    shown = seatrial("status").out

    assert "(Docker Compose)" in shown.splitlines()[0]
    assert "runner   test-runner: gone; the next test will create it" in shown
    assert [each["name"] for each in json.loads(seatrial("status", "--json").out)["workloads"]] == ["db", "web"]


def test_status_of_a_project_without_containers(seatrial, compose):
    compose.present = []

    assert "has no containers; seatrial up creates them again" in seatrial("status").out


def test_logs_of_one_service_and_of_all(seatrial, compose):
    assert seatrial("logs", "web").out == "hello\n"
    assert seatrial("logs").out == "==> db <==\nready\n==> web <==\nhello\n"


def test_log_that_cannot_be_read_does_not_hide_the_others(seatrial, compose):
    compose.unreadable = {"shop-aa-db-1"}
    printed = seatrial("logs")

    assert printed.out == "==> web <==\nhello\n"
    assert "the log of db cannot be read: log driver does not support reading" in printed.err


def test_followed_logs_name_their_service(seatrial, compose):
    assert seatrial("logs", "-f", "web").out == "followed\n"
    assert "db | followed" in seatrial("logs", "-f").out


@pytest.mark.parametrize("option", [("--previous",), ("-c", "x")])
def test_logs_refuse_options_for_pods(seatrial, compose, option):
    printed = seatrial("logs", "web", *option)

    assert printed.code == 4
    assert "requires Kubernetes" in printed.err


def test_diagnose_finds_failed_containers(seatrial, compose):
    assert seatrial("diagnose").code == 0

    compose.present = [container("db", Running=False, Status="exited", ExitCode=1)]
    printed = seatrial("diagnose")
    assert printed.code == 10
    assert printed.out.splitlines()[:2] == ["service/db: Crash: service db ended with exit code 1", "  | ready"]


def test_list_names_the_kind(seatrial, compose):
    (listed,) = json.loads(seatrial("list", "--json").out)

    assert listed["kind"] == "compose"
