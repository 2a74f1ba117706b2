from __future__ import annotations

import json

import pytest
from seatrial.adapters.compose_project import DockerComposeProject
from seatrial.adapters.docker import DockerEngine
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, UsageError
from seatrial.model.names import EnvironmentId

PLUGIN = {"docker compose version": Answer(stdout="2.40.3\n")}
LABEL = "label=seatrial.dev/session=aa"


def project(tmp_path, answers):
    processes = FakeProcesses(answers)
    engine = DockerEngine(processes)
    file = tmp_path / "compose.json"
    return DockerComposeProject(
        "shop-aa", EnvironmentId("aa"), engine=engine, processes=processes, file=file
    ), processes


def ran(processes, start):
    return [" ".join(words) for words in processes.ran if " ".join(words).startswith(start)]


class TestProgram:
    def test_plugin_is_preferred(self, tmp_path):
        it, processes = project(tmp_path, PLUGIN | {"docker-compose": Answer(stdout="2.1.0")})

        assert it.version() == "2.40.3"
        assert it.version() == "2.40.3"
        assert len(processes.ran) == 1

    def test_program_replaces_a_missing_plugin(self, tmp_path):
        answers = {"docker compose": Answer(code=1), "docker-compose version": Answer(stdout="v2.40.3\n")}

        assert project(tmp_path, answers)[0].version() == "2.40.3"

    def test_compose_1_is_too_old(self, tmp_path):
        answers = {"docker compose": Answer(code=1), "docker-compose version": Answer(stdout="1.29.2\n")}

        with pytest.raises(UsageError, match="Docker Compose 2 is not installed") as caught:
            project(tmp_path, answers)[0].version()
        assert caught.value.reason == "docker-compose 1.29.2 does not read current Compose files"

    def test_missing_compose_is_an_error_with_a_remedy(self, tmp_path):
        with pytest.raises(UsageError) as caught:
            project(tmp_path, {})[0].version()
        assert "https://docs.docker.com/compose/install/" in caught.value.hint


class TestConfig:
    def config(self, it, tmp_path):
        return it.config(
            tmp_path / "compose.yaml",
            env_files=[tmp_path / "images.env"],
            profiles=["all"],
            services=["web"],
            deadline=Deadline.after(10),
        )

    def test_file_is_read_by_compose(self, tmp_path):
        it, processes = project(tmp_path, PLUGIN | {"docker compose": Answer(stdout='{"services": {}}')})

        assert self.config(it, tmp_path) == {"services": {}}
        options = f"--file {tmp_path}/compose.yaml --env-file {tmp_path}/images.env --profile all"
        assert ran(processes, "docker compose --project-name") == [
            f"docker compose --project-name shop-aa {options} config --format json web"
        ]

    def test_invalid_file_is_a_usage_error(self, tmp_path):
        it, _ = project(tmp_path, PLUGIN | {"docker compose": Answer(code=15, stderr="services.web: bad\n")})

        with pytest.raises(UsageError, match="Docker Compose cannot read") as caught:
            self.config(it, tmp_path)
        assert caught.value.reason == "services.web: bad"


def test_up_reports_its_steps(tmp_path):
    output = " Network shop-aa_default  Created\nsome noise\n Container shop-aa-web-1  Started\n"
    it, processes = project(tmp_path, PLUGIN | {"docker compose": Answer(stderr=output)})
    steps = []
    it.up(tmp_path / "f", deadline=Deadline.after(10), log=tmp_path / "log", progress=steps.append)

    assert steps == ["Network shop-aa_default Created", "Container shop-aa-web-1 Started"]
    assert "up --detach --build --quiet-pull --remove-orphans" in " ".join(processes.ran[-1])


def test_containers_are_those_with_the_label(tmp_path):
    answers = {"docker ps": Answer(stdout="1a\n"), "docker container inspect 1a": Answer(stdout='[{"Id": "1a"}]')}
    it, processes = project(tmp_path, answers)

    assert it.containers() == [{"Id": "1a"}]
    assert LABEL in processes.ran[0]


@pytest.mark.parametrize(
    ("state", "memory", "event", "oom"),
    [
        ({"ExitCode": 137, "OOMKilled": False}, 1 << 25, "1a\n", True),
        ({"ExitCode": 137, "OOMKilled": False}, 1 << 25, "", False),
        ({"ExitCode": 137, "OOMKilled": False}, 0, "1a\n", False),
        ({"ExitCode": 1, "OOMKilled": False}, 1 << 25, "1a\n", False),
        ({"ExitCode": 137, "OOMKilled": True}, 1 << 25, "", True),
    ],
)
def test_container_of_which_the_engine_reports_the_end_before_the_memory_is_out_of_memory(
    tmp_path, state, memory, event, oom
):
    container = {"Id": "1a", "State": {"StartedAt": "2026-01-01T00:00:00Z", **state}, "HostConfig": {"Memory": memory}}
    inspected = Answer(stdout=json.dumps([container]))
    answers = {"docker ps": Answer(stdout="1a\n"), "docker container inspect 1a": inspected}
    it, processes = project(tmp_path, {**answers, "docker events": Answer(stdout=event)})

    for _ in range(2):
        (found,) = it.containers()
        assert found["State"]["OOMKilled"] is oom
    untils = [float(argv[argv.index("--until") + 1]) for argv in processes.ran if argv[1] == "events"]
    assert untils == sorted(untils, reverse=True), "only the first question waits for a late event"


class TestLogs:
    OUT = "2026-01-31T15:45:01.000000000Z first\n2026-01-31T15:45:03.000000000Z \n"
    ERR = "2026-01-31T15:45:02.000000000Z second\n2026-01-31T15:45:04.000000000Z last"

    def test_lines_of_both_outputs_are_in_the_order_of_their_times(self, tmp_path):
        it, processes = project(tmp_path, {"docker logs": Answer(stdout=self.OUT, stderr=self.ERR)})

        assert it.logs("web", tail=3, since=60) == b"first\nsecond\n\nlast\n"
        assert processes.ran == [("docker", "logs", "--timestamps", "--tail", "3", "--since", "60s", "web")]

    def test_lines_begin_with_their_times_if_asked(self, tmp_path):
        it, _ = project(tmp_path, {"docker logs": Answer(stdout=self.OUT, stderr=self.ERR)})

        assert it.logs("web", timestamps=True).splitlines()[:2] == [
            b"2026-01-31T15:45:01.000000000Z first",
            b"2026-01-31T15:45:02.000000000Z second",
        ]

    def test_parts_of_a_long_line_are_joined(self, tmp_path):
        part = "2026-01-31T15:45:01.000000000Z " + "x" * 16384
        it, _ = project(tmp_path, {"docker logs": Answer(stdout=f"{part}{part}\n")})

        assert it.logs("web") == b"x" * 32768 + b"\n"

    def test_log_that_the_engine_does_not_have_is_an_error(self, tmp_path):
        answer = Answer(code=1, stderr="Error: configured logging driver does not support reading\n")
        it, _ = project(tmp_path, {"docker logs": answer})

        with pytest.raises(CommandFailed) as caught:
            it.logs("web")
        assert caught.value.reason == "Error: configured logging driver does not support reading"


class TestRemove:
    def test_everything_with_the_label_is_deleted_by_id(self, tmp_path):
        answers = {
            "docker ps": Answer(stdout="1a\n2b\n"),
            "docker network ls": Answer(stdout="n1\n"),
            "docker volume ls": Answer(stdout=""),
            "docker image ls": Answer(stdout="i1\ni1\n"),
            "docker rm": Answer(),
            "docker network rm": Answer(),
            "docker image rm": Answer(),
        }
        it, processes = project(tmp_path, answers)
        it.remove(deadline=Deadline.after(10))

        assert all(LABEL in words for words in processes.ran if "--filter" in words)
        assert [" ".join(words) for words in processes.ran if "--filter" not in words] == [
            "docker rm --force --volumes 1a 2b",
            "docker network rm n1",
            "docker image rm --force i1",
        ]

    def test_network_in_use_by_another_container_is_an_error(self, tmp_path):
        answers = {
            "docker ps": Answer(),
            "docker network ls": Answer(stdout="n1\n"),
            "docker network rm": Answer(code=1, stderr="network n1 has active endpoints"),
        }

        with pytest.raises(EnvironmentFailed, match="Compose project shop-aa was not removed") as caught:
            project(tmp_path, answers)[0].remove(deadline=Deadline.after(10))
        assert caught.value.reason == "network n1 has active endpoints"
