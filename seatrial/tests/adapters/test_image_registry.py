"""Local and remote registry: containers, names, digests and mirrors."""

from __future__ import annotations

import base64
import json
import threading
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
import yaml
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.image_registry import LocalRegistry, RemoteRegistry
from seatrial.adapters.process import _DIRECT
from seatrial.adapters.proxy_exceptions import no_proxy_variables
from seatrial.adapters.registry_keys import Keys, authorization
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime

KEYS = Keys(id="3f2a9c1b", write="w" * 64, read="r" * 64)
NAME = "3f2a9c1b.seatrial-registry"
WRITER = f"{NAME}-writer"


@contextmanager
def serving(manifests, status=200):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            given = self.headers["Authorization"]
            known = given in (authorization("seatrial", KEYS.write), authorization("node", KEYS.read))
            self.send_response(status if known else 401)
            self.end_headers()

        def do_HEAD(self):
            digest = manifests.get(self.path)
            assert "application/vnd.oci.image.manifest.v1+json" in self.headers["Accept"]
            assert self.headers["Authorization"] == authorization("seatrial", KEYS.write)
            self.send_response(200 if digest else 404)
            if digest:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def container(name, port, *, running=True, networks=()):
    return {
        "Name": f"/{name}",
        "State": {"Running": running},
        "NetworkSettings": {
            "Ports": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]} if port else {},
            "Networks": {name: {} for name in networks},
        },
    }


def both(port, **more):
    """Return what the engine says of reader and writer."""
    return Answer(stdout=json.dumps([container(NAME, port, **more), container(WRITER, port, **more)]))


def registry(tmp_path, answers, *, image=None):
    home = tmp_path / "registry"
    home.mkdir(exist_ok=True)
    (home / "keys.json").write_bytes(msgspec.json.encode(KEYS))
    processes = FakeProcesses(answers)
    it = LocalRegistry(
        DockerEngine(processes),
        directory=home,
        image=image,
        network="kind",
        network_marker=tmp_path / "shared" / "mark",
        port_is_free=lambda _, port: port > 5002,
    )
    return it, processes


def in_turn(processes, command, answers):
    """Have one docker command answer differently each time; the last answer stays."""
    real, left = processes.run, list(answers)

    def run(argv, **more):
        done = real(argv, **more)
        if argv[1] == command:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return type(done)(argv=done.argv, code=0, stdout=answer.stdout.encode(), stderr=b"")
        return done

    processes.run = run


def inspected(value):
    return Answer(stdout=json.dumps([value]))


def soon():
    return Deadline.after(5)


def test_ensure_uses_a_running_registry(tmp_path):
    with serving({"/v2/docker.io/library/a/manifests/1": "sha256:aa"}) as port:
        it, processes = registry(tmp_path, {"docker container": both(port, networks=["kind"])})
        it.ensure(deadline=soon())

        assert it.host == f"localhost:{port}"
        assert it.digest("a:1") == "sha256:aa"
        assert it.digest("a:2") is None
        assert it.join()
    assert len(processes.ran) == 1


def test_ensure_creates_a_writer_on_loopback_and_a_read_only_reader(tmp_path):
    with serving({}) as port:
        it, processes = registry(tmp_path, {"docker image": Answer(stdout="[]"), "docker": Answer()}, image="mine:1")
        in_turn(processes, "container", [Answer(stdout="[]"), Answer(stdout="[]"), both(port)])
        it.ensure(deadline=soon())

    writer, reader = (words for words in processes.ran if words[1] == "create")
    assert writer[3] == WRITER
    assert "127.0.0.1:5003:5000" in writer, "the first port that is free"
    assert f"{NAME}:/var/lib/registry:rw" in writer
    assert "kind" not in writer
    assert reader[3] == NAME
    assert "127.0.0.1::5000" in reader
    assert f"{NAME}:/var/lib/registry:ro" in reader
    assert 'REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled": true}' in reader
    for words in (writer, reader):
        assert {"REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH=/seatrial-htpasswd"} <= set(words)
        assert "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=none" in words, "it would believe in layers that are gone"
        assert words[-1] == "mine:1"
        assert not any(KEYS.write in word or KEYS.read in word for word in words), "no password in a command line"
    assert ("docker", "pull", "--quiet", "mine:1") in processes.ran
    copied = [words[-1] for words in processes.ran if words[1] == "cp"]
    assert copied == [f"{WRITER}:/", f"{NAME}:/"]


def test_registry_image_that_cannot_be_pulled_fails(tmp_path):
    it, _ = registry(
        tmp_path,
        {
            "docker container": Answer(code=1, stdout="[]"),
            "docker image": Answer(stdout="[]"),
            "docker pull": Answer(code=1, stderr="no such host"),
            "docker rm": Answer(),
        },
    )
    with pytest.raises(EnvironmentFailed) as caught:
        it.ensure(deadline=soon())
    assert caught.value.reason == "no such host"
    assert "SEATRIAL_REGISTRY_IMAGE" in caught.value.hint


def test_registry_of_a_concurrent_command_is_used(tmp_path):
    with serving({}) as port:
        it, processes = registry(tmp_path, {"docker": Answer()})
        in_turn(processes, "container", [Answer(stdout="[]"), both(port)])
        it.ensure(deadline=soon())

    assert [words[1] for words in processes.ran] == ["container", "container"]


def test_failed_start_deletes_the_containers(tmp_path):
    it, processes = registry(
        tmp_path,
        {
            "docker container": Answer(code=1, stdout="[]"),
            "docker image": inspected({"Id": "sha256:a", "RepoTags": ["registry:2"]}),
            "docker start": Answer(code=125, stderr="no space left on device"),
            "docker": Answer(),
        },
    )
    with pytest.raises(CommandFailed):
        it.ensure(deadline=soon())
    assert processes.ran[-1] == ("docker", "rm", "--force", "--volumes", NAME, WRITER)


def test_start_is_retried_with_another_port_if_the_port_was_taken(tmp_path):
    with serving({}) as port:
        it, processes = registry(tmp_path, {"docker": Answer()})
        in_turn(processes, "container", [Answer(stdout="[]"), Answer(stdout="[]"), both(port)])
        processes._answers[("docker", "start")] = Answer(code=1, stderr="127.0.0.1:5003: port is already allocated")
        real, taken = processes.run, set()

        def run(argv, **more):
            try:
                return real(argv, **more)
            finally:
                if argv[1] == "start":
                    processes._answers[("docker", "start")] = Answer()
                    taken.add(5003)

        processes.run = run
        it._port_is_free = lambda _, port: port > 5002 and port not in taken
        it.ensure(deadline=soon())

    created = [words for words in processes.ran if words[1] == "create" and WRITER in words]
    published = [words[words.index("--publish") + 1] for words in created]
    assert published == ["127.0.0.1:5003:5000", "127.0.0.1:5004:5000"]


@pytest.mark.parametrize(
    ("present", "used"),
    [
        (["registry:2", "foundry.invalid/registry:2"], "foundry.invalid/registry:2"),
        (["foundry/registry:2"], "registry:2"),
    ],
    ids=["foundry", "docker-hub"],
)
def test_registry_uses_the_image_of_foundry_if_it_exists(tmp_path, present, used):
    answers = {"docker image": Answer(stdout=json.dumps([{"Id": "sha256:a", "RepoTags": present}]))}
    failing = {"docker container": Answer(code=1, stdout="[]"), "docker start": Answer(code=1, stderr="no")}
    it, processes = registry(tmp_path, {**answers, **failing, "docker": Answer()})
    with pytest.raises(CommandFailed):
        it.ensure(deadline=soon())

    assert {words[-1] for words in processes.ran if words[1] == "create"} == {used}


def test_start_fails_after_several_ports_were_taken(tmp_path):
    taken = Answer(code=1, stderr="listen tcp4 127.0.0.1:5003: bind: address already in use")
    image = inspected({"Id": "sha256:a", "RepoTags": ["registry:2"]})
    answers = {"docker container": Answer(code=1, stdout="[]"), "docker image": image, "docker start": taken}
    it, processes = registry(tmp_path, {**answers, "docker": Answer()})
    with pytest.raises(CommandFailed):
        it.ensure(deadline=soon())
    assert [words[1] for words in processes.ran].count("start") == 5
    assert processes.ran[-1][1] == "rm"


@pytest.mark.parametrize("stopped", [0, 1])
def test_registry_with_a_stopped_container_is_recreated(tmp_path, stopped):
    with serving({}) as port:
        it, processes = registry(tmp_path, {"docker": Answer()})
        running = both(port)
        half = json.loads(running.stdout)
        half[stopped]["State"]["Running"] = False
        in_turn(processes, "container", [Answer(stdout=json.dumps(half))] * 2 + [running])
        it.ensure(deadline=soon())
    commands = [words[1] for words in processes.ran]
    assert commands[:5] == ["container", "container", "image", "pull", "rm"]
    assert commands[-2:] == ["start", "container"]


def test_ensure_times_out_if_the_registry_does_not_answer(tmp_path):
    with serving({}, status=500) as port:
        it, _ = registry(tmp_path, {"docker container": both(port)})
        with pytest.raises(OutOfTime):
            it.ensure(deadline=Deadline.after(0.3))


def test_digest_fails_if_the_registry_does_not_answer(tmp_path):
    it, _ = registry(tmp_path, {})
    it._port = 1
    with pytest.raises(EnvironmentFailed):
        it.digest("a:1")


def test_join_connects_the_reader_once(tmp_path):
    it, processes = registry(tmp_path, {"docker network connect": Answer()})

    assert it.join()
    assert it.join()
    assert len(processes.ran) == 1


def test_join_returns_false_if_the_network_does_not_exist(tmp_path):
    it, _ = registry(tmp_path, {"docker network connect": Answer(code=1, stderr="network kind not found")})

    assert not it.join()


def test_join_accepts_a_reader_that_is_connected_already(tmp_path):
    it, _ = registry(tmp_path, {"docker network connect": Answer(code=1, stderr="endpoint already exists in network")})

    assert it.join()


def network(tmp_path, *, before, now="n1", members=""):
    """Return a registry that claimed the network, joined it and is removed, and the commands of the removal."""
    it, processes = registry(
        tmp_path,
        {
            "docker network inspect": Answer(stdout=f"{before}\n") if before else Answer(code=1),
            "docker ps": Answer(stdout=members),
            "docker": Answer(),
        },
    )
    it.claim_network()
    processes._answers[("docker", "network", "inspect")] = Answer(stdout="n1\n")
    it.join()
    processes._answers[("docker", "network", "inspect")] = Answer(stdout=f"{now}\n") if now else Answer(code=1)
    it.remove()
    return [words[1:] for words in processes.ran if words[1:3] == ("network", "rm")], it, processes


def test_network_that_seatrial_created_is_deleted_once(tmp_path):
    removed, it, processes = network(tmp_path, before="")
    assert removed == [("network", "rm", "kind")]

    it.remove()
    assert [words[1:3] for words in processes.ran].count(("network", "rm")) == 1


@pytest.mark.parametrize(
    "case", [{"before": "n0"}, {"before": "", "now": "n2"}, {"before": "", "members": "their-control-plane\n"}]
)
def test_network_that_existed_before_is_kept(tmp_path, case):
    removed, _, _ = network(tmp_path, **case)
    assert removed == []


def test_network_that_was_never_joined_is_kept(tmp_path):
    it, processes = registry(tmp_path, {"docker network inspect": Answer(code=1), "docker": Answer()})
    it.claim_network()
    processes._answers[("docker", "network", "inspect")] = Answer(stdout="n1\n")
    it.remove()

    assert not any(words[1:3] == ("network", "rm") for words in processes.ran)


def test_push_uses_a_separate_client_configuration(tmp_path, monkeypatch):
    users = tmp_path / "users"
    (users / "contexts").mkdir(parents=True)
    theirs = '{"auths": {"r.example.com": {"auth": "x"}}, "credsStore": "desktop", "currentContext": "colima"}'
    (users / "config.json").write_text(theirs)
    monkeypatch.setenv("DOCKER_CONFIG", str(users))
    with serving({"/v2/ghcr.io/x/y/manifests/1": "sha256:aa"}) as port:
        it, processes = registry(tmp_path, {"docker container": both(port), "docker": Answer()})
        envs = []
        real = processes.run
        processes.run = lambda argv, **more: (envs.append((argv[1], more.get("env"))), real(argv, **more))[1]
        it.ensure(deadline=soon())

        assert it.push("ghcr.io/x/y:1", deadline=soon(), progress=lambda _: None) == "sha256:aa"
        assert ("docker", "push", "--quiet", f"localhost:{port}/ghcr.io/x/y:1") in processes.ran
        with pytest.raises(EnvironmentFailed):
            it.push("lost:1", deadline=soon(), progress=lambda _: None)
    directory = tmp_path / "registry" / "docker"
    assert ("push", {"DOCKER_CONFIG": str(directory)}) in envs
    written = json.loads((directory / "config.json").read_text())
    login = base64.b64encode(f"seatrial:{KEYS.write}".encode()).decode()
    assert written == {"currentContext": "colima", "auths": {f"localhost:{port}": {"auth": login}}}
    assert (directory / "config.json").stat().st_mode & 0o777 == 0o600
    assert (directory / "contexts").resolve() == users / "contexts"
    assert (users / "config.json").read_text() == theirs


def test_mirrors_have_a_path_for_each_registry(tmp_path):
    it, _ = registry(tmp_path, {})
    it._port = 5001
    mirrors = it.mirrors(["a:1", "b/c:2", "example.com:8443/d"])

    assert set(mirrors) == {"docker.io", "example.com:8443", "localhost:5001", f"{NAME}:5000"}
    read = {host: tomllib.loads(text)["host"] for host, text in mirrors.items()}
    hub = read["docker.io"][f"http://{NAME}:5000/v2/docker.io"]
    assert hub == {
        "capabilities": ["pull", "resolve"],
        "override_path": True,
        "header": {"authorization": authorization("node", KEYS.read)},
    }
    assert list(read["example.com:8443"]) == [f"http://{NAME}:5000/v2/example.com_8443"]
    assert "override_path" not in read["localhost:5001"][f"http://{NAME}:5000"]
    assert not any(KEYS.write in text or authorization("seatrial", KEYS.write) in text for text in mirrors.values())


def test_registry_names_are_exempt_from_the_proxy(tmp_path):
    """As Go reads NO_PROXY: an entry stands for the host and for all names below it."""
    it, _ = registry(tmp_path, {})
    exempt = no_proxy_variables({"HTTPS_PROXY": "http://proxy:3128"}, _DIRECT)["NO_PROXY"].split(",")

    assert any(it.container == each or it.container.endswith(f".{each}") for each in exempt)


def test_announcement_is_the_config_map_of_kep_1755(tmp_path):
    it, _ = registry(tmp_path, {})
    it._port = 5001

    hosting = yaml.safe_load(it.announcement()["data"]["localRegistryHosting.v1"])
    assert hosting == {"host": "localhost:5001", "hostFromContainerRuntime": f"{NAME}:5000"}
    assert "Read-only" in it.announcement()["data"]["localRegistryHosting.v1"]
    assert it.name_for("a:1") == "a:1"


VERBOSE = json.dumps({"Descriptor": {"digest": "sha256:aa"}})


def test_remote_registry_renames_images():
    processes = FakeProcesses({"docker manifest": Answer(stdout=VERBOSE), "docker": Answer()})
    it = RemoteRegistry(DockerEngine(processes), "registry.example.com/team/")
    it.ensure(deadline=soon())

    assert it.name_for("shop-test:1") == "registry.example.com/team/shop-test:1"
    assert it.name_for("acme/python:3.13") == "registry.example.com/team/acme/python:3.13"
    assert it.push("shop-test:1", deadline=soon(), progress=lambda _: None) == "sha256:aa"


def test_remote_registry_reads_the_digest_of_the_first_platform():
    several = FakeProcesses({"docker manifest": Answer(stdout=f"[{VERBOSE}]")})
    none = FakeProcesses({"docker manifest": Answer(code=1), "docker": Answer()})

    assert RemoteRegistry(DockerEngine(several), "r").digest("a:1") == "sha256:aa"
    empty = RemoteRegistry(DockerEngine(none), "r")
    assert empty.digest("a:1") is None
    with pytest.raises(EnvironmentFailed):
        empty.push("a:1", deadline=soon(), progress=lambda _: None)
