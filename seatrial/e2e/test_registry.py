"""Test that other users, other projects and pods cannot read or change the registry of a real engine."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from seatrial.adapters.docker import DockerEngine
from seatrial.adapters.image_registry import LocalRegistry
from seatrial.adapters.machine import port_is_free
from seatrial.adapters.process import LocalProcesses
from seatrial.adapters.registry_keys import authorization, keys_in
from seatrial.model.deadline import Deadline
from shop_project import docker

IMAGE = "foundry.invalid/python:3.13"
CONTENT = "seatrial-e2e-registry:1"
REPOSITORY = "docker.io/library/seatrial-e2e-registry"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
NOBODY = 65534

# Method and path of each request that reads, changes or deletes.
READS = (("GET", "/v2/"), ("GET", "/v2/_catalog"), ("GET", f"/v2/{REPOSITORY}/manifests/1"))
WRITES = (
    ("POST", f"/v2/{REPOSITORY}/blobs/uploads/"),
    ("PUT", f"/v2/{REPOSITORY}/manifests/1"),
    ("PATCH", f"/v2/{REPOSITORY}/blobs/uploads/{uuid.uuid4()}"),
    ("DELETE", f"/v2/{REPOSITORY}/manifests/sha256:{'0' * 64}"),
    ("DELETE", f"/v2/{REPOSITORY}/blobs/sha256:{'0' * 64}"),
)
ASK = """
import http.client, json, sys
host, port, headers, questions = json.loads(sys.argv[1])
for method, path in questions:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path, headers=headers)
    print(connection.getresponse().status)
"""


@dataclass(frozen=True)
class User:
    """A user with a state directory, and thus with a registry."""

    home: Path
    network: str

    def registry(self) -> LocalRegistry:
        return LocalRegistry(
            DockerEngine(LocalProcesses()),
            directory=self.home,
            image=os.environ.get("SEATRIAL_REGISTRY_IMAGE"),
            network=self.network,
            network_marker=self.home.parent / "shared" / "network-is-ours",
            port_is_free=port_is_free,
        )


def soon() -> Deadline:
    return Deadline.after(60)


def port_of(container: str) -> int:
    return int(docker("port", container, "5000/tcp").strip().rpartition(":")[2])


def as_another_user(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command as another user of this machine; without root, run it as this user without private files."""
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
    return subprocess.run([*prefix, *argv], capture_output=True, text=True, check=False)


def asked_by_another_user(port: int, method: str, path: str) -> int:
    done = as_another_user(
        *("curl", "--silent", "--request", method, "--write-out", "%{http_code}", "--output", "/dev/null"),
        f"http://127.0.0.1:{port}{path}",
    )
    return int(done.stdout)


def asked_by_a_pod(network: str, host: str, questions, headers=()) -> list[int]:
    """Return the answers to a container in the nodes' network, which pods also reach."""
    argument = json.dumps([host, 5000, dict(headers), questions])
    said = docker("run", "--rm", "--network", network, IMAGE, "python3", "-c", ASK, argument)
    return [int(word) for word in said.split()]


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> Iterator[str]:
    """Provide an image with a small layer of its own."""
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY Dockerfile /\nLABEL run={uuid.uuid4()}\n")
    docker("build", "--quiet", "--tag", CONTENT, str(context))
    yield CONTENT
    docker("rmi", CONTENT)


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    name = f"seatrial-e2e-{uuid.uuid4().hex[:8]}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="module")
def users(tmp_path_factory, network, content) -> Iterator[tuple[User, User]]:
    """Provide two users, the first of whom has pushed an image."""
    found = tuple(User(tmp_path_factory.mktemp(name) / "seatrial" / "registry", network) for name in ("one", "two"))
    try:
        for user in found:
            user.registry().ensure(deadline=soon())
        first = found[0].registry()
        first.ensure(deadline=soon())
        first.push(content, deadline=soon(), progress=lambda _: None)
        yield found
    finally:
        for user in found:
            registry = user.registry()
            registry.remove()
            docker("volume", "rm", registry.volume)


@pytest.fixture
def mine(users) -> LocalRegistry:
    registry = users[0].registry()
    registry.ensure(deadline=soon())
    return registry


def test_other_local_user_cannot_access_registry(mine):
    for container in (mine.container, f"{mine.container}-writer"):
        port = port_of(container)
        for method, path in (*READS, *WRITES):
            assert asked_by_another_user(port, method, path) == 401, (container, method, path)
    assert mine.digest(CONTENT), "the image still exists"


def test_other_local_user_cannot_read_passwords(users):
    keys = users[0].home / "keys.json"
    login = users[0].home / "docker" / "config.json"
    for path in (keys, login):
        assert path.stat().st_mode & 0o077 == 0
        if os.getuid() == 0:
            assert as_another_user("cat", str(path)).returncode != 0
    seen = as_another_user("ps", "-eo", "args").stdout
    assert keys_in(users[0].home).write not in seen


def test_other_seatrial_user_cannot_access_registry(users, mine):
    theirs = keys_in(users[1].home)
    for user, password in (("seatrial", theirs.write), ("node", theirs.read)):
        for container in (mine.container, f"{mine.container}-writer"):
            connection = http.client.HTTPConnection("127.0.0.1", port_of(container), timeout=10)
            connection.request("GET", "/v2/", headers={"Authorization": authorization(user, password)})
            assert connection.getresponse().status == 401
            connection.close()


def test_pod_without_password_cannot_access_registry(mine, network):
    questions = (*READS, *WRITES)
    assert asked_by_a_pod(network, mine.container, questions) == [401] * len(questions)
    with pytest.raises(subprocess.CalledProcessError):
        asked_by_a_pod(network, f"{mine.container}-writer", READS)


def test_node_can_only_read_registry(mine, network):
    ((address, host),) = tomllib.loads(mine.mirrors([CONTENT])["docker.io"])["host"].items()
    headers = {"Authorization": host["header"]["authorization"], "Accept": MANIFEST}
    assert address == f"http://{mine.container}:5000/v2/docker.io"

    digest = mine.digest(CONTENT)
    by_digest = ("GET", f"/v2/{REPOSITORY}/manifests/{digest}")
    assert asked_by_a_pod(network, mine.container, (*READS, by_digest), headers) == [200] * 4
    refused = asked_by_a_pod(network, mine.container, WRITES, headers)
    assert refused == [405, 405, 404, 405, 405], "an upload that was refused cannot be continued"
    assert asked_by_a_pod(network, mine.container, [by_digest], headers) == [200], "no image was deleted"


def test_registry_has_no_other_open_port(mine, network):
    script = (
        "import socket, sys\n"
        "for port in range(1, 10000):\n"
        "    with socket.socket() as it:\n"
        "        it.settimeout(1)\n"
        "        if it.connect_ex((sys.argv[1], port)) == 0: print(port)\n"
    )
    inspected = json.loads(docker("container", "inspect", mine.container))[0]
    address = inspected["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert docker("run", "--rm", "--network", network, IMAGE, "python3", "-c", script, address).split() == ["5000"]


def test_volume_of_reader_is_read_only(mine):
    mounts = json.loads(docker("container", "inspect", mine.container))[0]["Mounts"]
    assert [(each["Name"], each["RW"]) for each in mounts] == [(mine.volume, False)]


def test_image_pushed_by_other_user_is_not_used(users, mine):
    other = users[1].registry()
    other.ensure(deadline=soon())

    assert mine.digest(CONTENT) is not None
    assert other.digest(CONTENT) is None
    assert {mine.container, mine.volume}.isdisjoint({other.container, other.volume})


def test_teardown_keeps_registry_of_other_user(users, network):
    one, two = (user.registry() for user in users)
    two.ensure(deadline=soon())
    one.remove()

    two.ensure(deadline=soon())
    assert "true" in docker("container", "inspect", "--format", "{{.State.Running}}", two.container)
    one.ensure(deadline=soon())
    assert one.digest(CONTENT), "the volume is kept"
    assert network in json.loads(docker("container", "inspect", one.container))[0]["NetworkSettings"]["Networks"]


def test_network_with_stopped_foreign_node_is_kept(tmp_path):
    name = f"seatrial-e2e-{uuid.uuid4().hex[:8]}"
    registry = User(tmp_path / "registry", name).registry()
    registry.claim_network()
    docker("network", "create", name)
    node = docker("create", "--network", name, IMAGE, "true").strip()
    try:
        registry.ensure(deadline=soon())
        registry.join()
        registry.remove()
        assert name in docker("network", "ls", "--format", "{{.Name}}").split()

        docker("rm", node)
        docker("network", "rm", name)
        registry.claim_network()
        docker("network", "create", name)
        registry.ensure(deadline=soon())
        registry.join()
        registry.remove()
        assert name not in docker("network", "ls", "--format", "{{.Name}}").split(), (
            "used by no other user, so it is removed"
        )
    finally:
        registry.remove()
        subprocess.run(["docker", "rm", "--force", node], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", name], capture_output=True, check=False)
        docker("volume", "rm", registry.volume)


def test_concurrent_commands_start_one_registry(users):
    users[1].registry().remove()

    def ensure(_: int) -> str:
        registry = users[1].registry()
        registry.ensure(deadline=soon())
        return registry.host

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ensure, range(4)))) == 1


def test_deleted_registry_container_is_recreated_with_its_images(users, mine):
    before = mine.digest(CONTENT)
    docker("rm", "--force", f"{mine.container}-writer")
    again = users[0].registry()
    again.ensure(deadline=soon())

    assert again.digest(CONTENT) == before


def test_push_does_not_change_docker_configuration(users, content, tmp_path):
    """Runs in another process, because Docker's client reads the variable once."""
    mine = tmp_path / "docker"
    mine.mkdir()
    (mine / "config.json").write_text('{"credsStore": "missing"}')
    script = (
        "import sys; sys.path[:0] = sys.argv[1:2]\n"
        "from pathlib import Path\n"
        "from test_registry import CONTENT, User, soon\n"
        "it = User(Path(sys.argv[2]), sys.argv[3]).registry()\n"
        "it.ensure(deadline=soon())\n"
        "print(it.push(CONTENT, deadline=soon(), progress=lambda _: None))\n"
    )
    argv = [sys.executable, "-c", script, str(Path(__file__).parent), str(users[1].home), users[1].network]
    environ = {**os.environ, "DOCKER_CONFIG": str(mine)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sha256:")
    assert [path.name for path in mine.iterdir()] == ["config.json"]
    assert (mine / "config.json").read_text() == '{"credsStore": "missing"}'
