"""Our registry and the company's: names, digests, what nodes are told."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.registry import LocalRegistry, RemoteRegistry
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, OutOfTime


@contextmanager
def serving(manifests, status=200):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def do_HEAD(self):
            digest = manifests.get(self.path)
            assert "application/vnd.oci.image.manifest.v1+json" in self.headers["Accept"]
            self.send_response(200 if digest else 404)
            if digest:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def container(port, *, running=True, networks=()):
    return {
        "State": {"Running": running},
        "NetworkSettings": {
            "Ports": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]} if port else {},
            "Networks": {name: {} for name in networks},
        },
    }


def registry(tmp_path, answers, *, image=None):
    processes = FakeProcesses(answers)
    it = LocalRegistry(
        DockerEngine(processes),
        image=image,
        network="kind",
        mark=tmp_path / "shared" / "mark",
        port_is_free=lambda _, port: port > 5002,
    )
    return it, processes


def inspected(value):
    return Answer(stdout=json.dumps([value]))


def soon():
    return Deadline.after(5)


def test_running_registry_is_used(tmp_path):
    with serving({"/v2/docker.io/library/a/manifests/1": "sha256:aa"}) as port:
        it, processes = registry(tmp_path, {"docker container": inspected(container(port, networks=["kind"]))})
        it.ensure(deadline=soon())

        assert it.host == f"localhost:{port}"
        assert it.digest("a:1") == "sha256:aa"
        assert it.digest("a:2") is None
        assert it.join()
    assert len(processes.ran) == 1


def test_new_registry(tmp_path):
    with serving({}) as port:
        answers = iter(["[]", json.dumps([container(port)])])
        it, processes = registry(tmp_path, {"docker image": Answer(stdout="[]"), "docker": Answer()}, image="mine:1")
        real = processes.run

        def run(argv, **more):
            done = real(argv, **more)
            if argv[1] == "container":
                return type(done)(argv=done.argv, code=0, stdout=next(answers).encode(), stderr=b"")
            return done

        processes.run = run
        it.ensure(deadline=soon())

    started = next(words for words in processes.ran if words[1] == "run")
    assert "127.0.0.1:5003:5000" in started, "the first port that is free"
    assert started[-1] == "mine:1"
    assert "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=none" in started, "it would believe in layers that are gone"
    assert ("docker", "pull", "--quiet", "mine:1") in processes.ran


def test_image_that_cannot_be_had(tmp_path):
    it, _ = registry(
        tmp_path,
        {
            "docker container": Answer(code=1, stdout="[]"),
            "docker image": Answer(stdout="[]"),
            "docker pull": Answer(code=1, stderr="no such host"),
        },
    )
    with pytest.raises(EnvironmentFailed) as caught:
        it.ensure(deadline=soon())
    assert caught.value.why == "no such host"
    assert "SEATRIAL_REGISTRY_IMAGE" in caught.value.try_


def test_somebody_else_was_quicker(tmp_path):
    """Two runs at once: the second finds the first one's container, which publishes no port yet."""
    it, _ = registry(
        tmp_path,
        {
            "docker container": Answer(code=1, stdout="[]"),
            "docker image": inspected({"Id": "sha256:a", "RepoTags": ["registry:2"]}),
            "docker network": Answer(),
            "docker run": Answer(code=125, stderr="The container name is already in use"),
        },
    )
    with pytest.raises(EnvironmentFailed) as caught:
        it.ensure(deadline=soon())
    assert "publishes no port" in caught.value.what


def test_container_that_cannot_start(tmp_path):
    it, _ = registry(
        tmp_path,
        {
            "docker container": Answer(code=1, stdout="[]"),
            "docker image": inspected({"Id": "sha256:a", "RepoTags": ["registry:2"]}),
            "docker network": Answer(),
            "docker run": Answer(code=125, stderr="no space left on device"),
        },
    )
    with pytest.raises(CommandFailed):
        it.ensure(deadline=soon())


def test_stopped_registry_is_replaced(tmp_path):
    it, processes = registry(
        tmp_path,
        {
            "docker container": inspected(container(0, running=False)),
            "docker rm": Answer(),
            "docker image": inspected({"Id": "sha256:a", "RepoTags": ["foundry.invalid/registry:2"]}),
            "docker network": Answer(),
            "docker run": Answer(),
        },
    )
    with pytest.raises(EnvironmentFailed):
        it.ensure(deadline=soon())
    assert [words[1] for words in processes.ran] == ["container", "rm", "image", "network", "run", "container"]


def test_registry_that_never_answers(tmp_path):
    with serving({}, status=500) as port:
        it, _ = registry(tmp_path, {"docker container": inspected(container(port))})
        with pytest.raises(OutOfTime):
            it.ensure(deadline=Deadline.after(0.3))


def test_digest_of_a_registry_that_died(tmp_path):
    it, _ = registry(tmp_path, {})
    it._port = 1
    with pytest.raises(EnvironmentFailed):
        it.digest("a:1")


def test_joining_the_network(tmp_path):
    it, processes = registry(tmp_path, {"docker network connect": Answer()})

    assert it.join()
    assert it.join()
    assert len(processes.ran) == 1


def test_joining_a_network_that_is_not_there_yet(tmp_path):
    it, _ = registry(tmp_path, {"docker network connect": Answer(code=1, stderr="network kind not found")})

    assert not it.join()


def test_joining_twice_is_no_error(tmp_path):
    it, _ = registry(tmp_path, {"docker network connect": Answer(code=1, stderr="endpoint already exists in network")})

    assert it.join()


def test_network_goes_only_if_it_was_not_there_before_us(tmp_path):
    ours, processes = registry(
        tmp_path, {"docker network inspect": Answer(code=1), "docker network rm": Answer(), "docker rm": Answer()}
    )
    ours.claim_network()
    ours.remove()
    ours.remove()
    assert [words[1:3] for words in processes.ran].count(("network", "rm")) == 1

    theirs, processes = registry(tmp_path, {"docker network inspect": Answer(), "docker rm": Answer()})
    theirs.claim_network()
    theirs.remove()
    assert ("docker", "network", "rm", "kind") not in processes.ran


def test_push(tmp_path):
    with serving({"/v2/ghcr.io/x/y/manifests/1": "sha256:aa"}) as port:
        it, processes = registry(tmp_path, {"docker container": inspected(container(port)), "docker": Answer()})
        it.ensure(deadline=soon())

        assert it.push("ghcr.io/x/y:1", deadline=soon(), progress=lambda _: None) == "sha256:aa"
        assert ("docker", "push", "--quiet", f"localhost:{port}/ghcr.io/x/y:1") in processes.ran
        with pytest.raises(EnvironmentFailed):
            it.push("lost:1", deadline=soon(), progress=lambda _: None)


def test_nodes_are_told_a_path_for_each_registry(tmp_path):
    it, _ = registry(tmp_path, {})
    it._port = 5001
    mirrors = it.mirrors(["a:1", "b/c:2", "example.com:8443/d"])

    assert set(mirrors) == {"docker.io", "example.com:8443", "localhost:5001"}
    assert '"http://seatrial-registry:5000/v2/docker.io"' in mirrors["docker.io"]
    assert "override_path = true" in mirrors["docker.io"]
    assert '"http://seatrial-registry:5000/v2/example.com_8443"' in mirrors["example.com:8443"]
    assert "override_path" not in mirrors["localhost:5001"]


def test_announcement_for_other_tools(tmp_path):
    it, _ = registry(tmp_path, {})
    it._port = 5001

    assert 'host: "localhost:5001"' in it.announcement()["data"]["localRegistryHosting.v1"]
    assert it.name_for("a:1") == "a:1"


VERBOSE = json.dumps({"Descriptor": {"digest": "sha256:aa"}})


def test_company_registry():
    processes = FakeProcesses({"docker manifest": Answer(stdout=VERBOSE), "docker": Answer()})
    it = RemoteRegistry(DockerEngine(processes), "registry.example.com/team/")
    it.ensure(deadline=soon())

    assert it.name_for("shop-test:1") == "registry.example.com/team/shop-test:1"
    assert it.name_for("acme/python:3.13") == "registry.example.com/team/acme/python:3.13"
    assert it.push("shop-test:1", deadline=soon(), progress=lambda _: None) == "sha256:aa"


def test_company_registry_with_several_platforms_or_none():
    several = FakeProcesses({"docker manifest": Answer(stdout=f"[{VERBOSE}]")})
    none = FakeProcesses({"docker manifest": Answer(code=1), "docker": Answer()})

    assert RemoteRegistry(DockerEngine(several), "r").digest("a:1") == "sha256:aa"
    empty = RemoteRegistry(DockerEngine(none), "r")
    assert empty.digest("a:1") is None
    with pytest.raises(EnvironmentFailed):
        empty.push("a:1", deadline=soon(), progress=lambda _: None)
