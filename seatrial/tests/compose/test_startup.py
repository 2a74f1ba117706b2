from __future__ import annotations

import json
import stat
from dataclasses import replace

import pytest
from msgspec.structs import replace as replaced
from seatrial.compose.startup import (
    ProjectStart,
    compose_path,
    container_of,
    runner_exec,
    saved_start,
)
from seatrial.doubles import FakeClock
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.errors import CommandFailed, NotReady, OutOfTime
from seatrial.model.names import EnvironmentId
from seatrial.model.spec import ComposeSpec, Project, RunnerSpec
from seatrial.saved_state import read_runner, write_runner

from compose.fake_compose import FakeCompose, container


@pytest.fixture
def compose():
    return FakeCompose(container("test-runner"), container("test-runner-keeper"), container("web"))


@pytest.fixture
def start(tmp_path, compose):
    now, recorded = FakeClock().now(), []
    record = EnvironmentRecord(
        id=EnvironmentId("aa"),
        project=str(tmp_path),
        command="up",
        provider="compose",
        cluster="shop-aa",
        created=now,
        expires=now,
    )
    it = ProjectStart(
        compose=compose,
        project=Project(
            root=tmp_path, runner=RunnerSpec(image="t:1"), compose=ComposeSpec(file=tmp_path / "compose.yaml")
        ),
        record=record,
        config={"services": {"web": {"image": "web:1"}}},
        images={},
        image="t:1",
        local=None,
        manifest=None,
        places=("tests",),
        directory=tmp_path / "env",
        deadline=Deadline.after(60),
        log=tmp_path / "compose.log",
        progress=lambda _: None,
        add=lambda created: recorded.append((str(created), list(compose.log))),
        before=lambda: compose.log.append("before"),
    )
    return it, recorded


def ready(start):
    containers, _ = start.ensure()
    start.save(containers)


class TestEnsure:
    def test_project_is_recorded_before_it_is_created(self, start, compose):
        it, recorded = start
        containers, changed = it.ensure()

        assert changed
        assert containers == compose.present
        assert recorded == [("Compose project shop-aa", ["before"])]

    def test_file_is_readable_by_this_user_only(self, start):
        it, _ = start
        it.ensure()
        path = compose_path(it.directory)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["services"].keys() == {
            "web",
            "test-runner",
            "test-runner-keeper",
            "test-runner-seed",
        }

    def test_unchanged_project_is_left_alone(self, start, compose):
        it, _ = start
        ready(it)
        _, changed = it.ensure()

        assert not changed
        assert compose.log == ["before", "up"]

    def test_project_that_was_never_ready_is_started_again(self, start):
        it, _ = start
        it.ensure()

        assert it.ensure()[1]

    @pytest.mark.parametrize(
        "present",
        [
            [container("test-runner"), container("web")],
            [container("test-runner", number=1), container("test-runner-keeper", Running=False, ExitCode=1)],
        ],
    )
    def test_missing_or_failed_container_starts_the_project_again(self, start, compose, present):
        it, _ = start
        ready(it)
        compose.present = present

        assert it.ensure()[1]

    def test_changed_file_starts_the_project_again(self, start):
        it, _ = start
        ready(it)

        assert replace(it, config={"services": {"web": {"image": "web:2"}}}).ensure()[1]

    def test_expiry_of_the_environment_changes_nothing(self, start):
        it, _ = start
        ready(it)
        later = replaced(it.record, expires=FakeClock().now().replace(year=2030))

        assert not replace(it, record=later).ensure()[1]

    def test_runner_whose_files_cannot_be_updated_gets_new_volumes(self, start):
        it, _ = start
        ready(it)
        before = json.loads(compose_path(it.directory).read_text())["volumes"]
        known = read_runner(it.directory)
        assert known is not None
        write_runner(it.directory, replaced(known, broken=True))
        it.ensure()

        assert not before.keys() & json.loads(compose_path(it.directory).read_text())["volumes"].keys()
        assert not read_runner(it.directory).broken

    def test_agent_files_are_readable_by_the_user_of_the_tests(self, start):
        it, _ = start
        it.ensure()
        (agent,) = it.directory.glob("agent-*")

        assert stat.S_IMODE(agent.stat().st_mode) == 0o755
        assert stat.S_IMODE((agent / "agent.py").stat().st_mode) == 0o644

    def test_failed_start_reports_failed_containers(self, start, compose):
        it, _ = start
        compose.present = [container("web", Running=False, Status="exited", ExitCode=3)]
        compose.ups = fails("dependency failed to start: container shop-aa-web-1 exited (3)")

        with pytest.raises(NotReady, match="Compose project shop-aa did not start") as caught:
            it.ensure()
        assert [each.cause for each in caught.value.findings] == ["Crash"]

    def test_failed_start_reports_the_cause_that_compose_names(self, start, compose):
        it, _ = start
        compose.present = []
        compose.ups = fails("Error response from daemon: pull access denied for web")

        with pytest.raises(NotReady) as caught:
            it.ensure()
        assert [each.cause for each in caught.value.findings] == ["ImagePull"]

    def test_start_that_takes_too_long_names_the_service_at_fault(self, start, compose):
        it, _ = start
        compose.ups = times_out
        with pytest.raises(OutOfTime):
            it.ensure()

        compose.present = [container("web", Health={"Status": "unhealthy", "FailingStreak": 9})]
        with pytest.raises(NotReady, match="did not start in time") as caught:
            it.ensure()
        assert [each.cause for each in caught.value.findings] == ["Unhealthy"]

    def test_failed_start_without_a_known_cause_reports_the_last_line(self, start, compose):
        it, _ = start
        compose.ups = fails("unexpected EOF")

        with pytest.raises(NotReady) as caught:
            it.ensure()
        assert caught.value.reason == "unexpected EOF"
        assert caught.value.hint == f"read {it.log}"


def times_out(_):
    raise OutOfTime("docker compose timed out")


def fails(output):
    def up(_):
        raise CommandFailed(["docker", "compose"], 1, output)

    return up


def test_recreated_runner_has_new_volumes(start):
    it, _ = start
    ready(it)
    before = json.loads(compose_path(it.directory).read_text())["volumes"]
    it.recreate_runner()

    assert not before.keys() & json.loads(compose_path(it.directory).read_text())["volumes"].keys()
    assert saved_start(it.directory).generation == 1


def test_commands_run_in_the_containers_of_the_runner(compose):
    runner_exec(compose, "test-runner")

    assert compose.log == ["exec shop-aa-test-runner-1 shop-aa-test-runner-keeper-1"]


def test_container_of_service(compose):
    assert container_of(compose.present, "web") == container("web")
    assert container_of(compose.present, "db") is None
