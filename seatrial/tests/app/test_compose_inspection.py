from __future__ import annotations

from pathlib import Path

import pytest
from compose.fake_compose import FakeCompose, container
from msgspec.structs import replace
from seatrial.app import compose_inspection
from seatrial.app.compose_inspection import (
    compose_problems,
    compose_status,
    follow_containers,
    select_containers,
)
from seatrial.app.wiring import compose_environment
from seatrial.image_inputs.image_manifest import ImageManifest
from seatrial.model.errors import UsageError
from seatrial.model.spec import ComposeSpec, ServiceSpec
from seatrial.saved_state import RunnerRecord, write_runner


class FakeLines:
    def __init__(self, *lines):
        self.lines = lines
        self.closed = False

    def __iter__(self):
        yield from self.lines

    def close(self):
        self.closed = True


@pytest.fixture
def compose():
    return FakeCompose(container("test-runner"), container("test-runner-keeper"), container("web"), container("db"))


@pytest.fixture
def kept(machines, compose, monkeypatch):
    """A kept Compose environment of the project."""
    project = replace(machines.project, environment="compose")
    record = machines.new(project=project)

    def environment(this, record):
        found = compose_environment(this, record)
        object.__setattr__(found, "compose", compose)
        return found

    monkeypatch.setattr(compose_inspection, "compose_environment", environment)
    runner = RunnerRecord(reference="t:1", image="", uid="1", places=(), manifest=ImageManifest(dockerfile=""))
    write_runner(machines.this.ledger.directory(record.id), runner)
    return machines.this, project, record


def test_status_has_services_and_runner(kept, compose):
    compose.present[-1] = container("db", Health={"Status": "starting"})
    status = compose_status(*kept)

    assert (status.up, status.state) == (True, "up")
    assert [(each.name, each.ready, each.waits_for) for each in status.workloads] == [
        ("db", False, "its health check"),
        ("web", True, ""),
    ]
    assert (status.runner.image, status.runner.state, status.runner.next) == ("t:1", "ready", "use it")


def test_status_of_a_project_without_containers(kept, compose):
    compose.present = []
    status = compose_status(*kept)

    assert (status.up, status.state, status.runner) == (False, "gone", None)


def test_status_without_the_runner(kept, compose):
    compose.present = [container("web")]

    assert compose_status(*kept).runner.next == "create it"


def test_problems_are_those_of_failed_containers(kept, compose):
    this, _, record = kept
    compose.present = [container("web"), container("db", Running=False, Status="exited", ExitCode=1)]
    compose.texts = {"shop-aa-db-1": b"no space\n"}

    (finding,) = compose_problems(this, record)
    assert (finding.subject.name, finding.cause, finding.evidence) == ("db", "Crash", ("no space",))


class TestSelectContainers:
    @pytest.mark.parametrize(
        ("name", "services"),
        [
            ("web", ["web"]),
            ("shop-aa-web-1", ["web"]),
            ("runner", ["test-runner"]),
            ("orders", ["db"]),
            (None, ["db", "test-runner", "test-runner-keeper", "web"]),
        ],
    )
    def test_name_selects(self, machines, compose, name, services):
        project = replace(machines.project, service={"orders": ServiceSpec(port=1, name="db")})
        found = select_containers(compose.present, project, name)

        assert [each["Config"]["Labels"]["com.docker.compose.service"] for each in found] == services

    def test_name_of_a_service_with_another_name_in_compose_selects(self, machines, compose):
        spec = ComposeSpec(file=Path("compose.yaml"), env={"SEATRIAL_SERVICE_ORDERS": "db:5432"})
        project = replace(machines.project, service={"orders": ServiceSpec(port=1)}, compose=spec)
        (found,) = select_containers(compose.present, project, "orders")

        assert found["Config"]["Labels"]["com.docker.compose.service"] == "db"

    def test_unknown_name_is_an_error(self, machines, compose):
        with pytest.raises(UsageError, match="the Compose project has no service 'wep'") as caught:
            select_containers(compose.present, machines.project, "wep")
        assert caught.value.hint == "one of: db, test-runner, test-runner-keeper, web, runner"


def test_followed_lines_are_those_of_all_containers(compose):
    lines = {"shop-aa-web-1": FakeLines(b"a\n", b"b\n"), "shop-aa-db-1": FakeLines(b"c\n")}
    compose.follow = lambda name, *, tail, since: lines[name]
    found = list(follow_containers(compose, compose.present[2:], tail=1, since=None))

    assert sorted(found) == [("db", b"c\n"), ("web", b"a\n"), ("web", b"b\n")]
    assert all(each.closed for each in lines.values())
