from __future__ import annotations

import json

import pytest
from seatrial.adapters.compose_project import DockerComposeProject
from seatrial.adapters.docker import DockerEngine
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, UsageError
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
    assert sum(argv[1] == "events" for argv in processes.ran) <= 1, "the answer does not change"


def test_logs_have_both_outputs(tmp_path):
    it, processes = project(tmp_path, {"docker logs": Answer(stdout="out\n", stderr="err\n")})

    assert it.logs("web", tail=3, since=60) == b"out\nerr\n"
    assert processes.ran == [("docker", "logs", "--tail", "3", "--since", "60s", "web")]


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
