"""Contract tests: what a chart relies on in an image, shown on real containers.

A module names its artefact in `ARTEFACT`; its tests then run on foundry's image, and a second time on the upstream
image that the artefact list names, where the engine has it or a registry gives it. Where not, the report says so.
"""

from __future__ import annotations

import functools
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from foundry import artefacts, machine

T = TypeVar("T")
PATIENCE = 60.0  # seconds until a service answers; ours need two, a machine under load more
PULL = 600.0
LABEL = "dev.seatrial.contract-test"
CATALOGUE = artefacts.load(artefacts.find(Path(__file__)))


def docker(*words: str | Path, check: bool = True, timeout: float = 120) -> str:
    """Run a docker command; both of its streams in one string."""
    done = subprocess.run(
        ["docker", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(map(str, words))}: {done.stdout}"
    return done.stdout.strip()


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Box:
    """A container under test."""

    id: str
    name: str

    def address(self, port: int) -> str:
        """host:port on this machine of a port of the container."""
        return docker("port", self.id, f"{port}/tcp").splitlines()[0]

    def http(
        self,
        port: int,
        path: str,
        *,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask it something; an HTTP error is an answer, a refused connection an OSError."""
        data = body.encode() if isinstance(body, str) else body
        url = f"http://{self.address(port)}{path}"
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())

    def until_http(self, port: int, path: str, status: int = 200) -> Answer:
        """Wait until it answers with that status."""
        return until(lambda: found if (found := self.http(port, path)).status == status else None, self)

    def exec(self, *words: str, env: Mapping[str, str] | None = None, user: str = "", check: bool = True) -> str:
        options = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return docker("exec", *options, *([f"--user={user}"] if user else []), self.id, *words, check=check)

    def user(self) -> str:
        """The user id of its first process."""
        return self._processes()[str(self.state()["Pid"])][0]

    def memory(self) -> int:
        """Bytes of memory that its first process has resident."""
        return int(self._processes()[str(self.state()["Pid"])][1]) * 1024

    def _processes(self) -> dict[str, list[str]]:
        lines = docker("top", self.id, "-eo", "pid,uid,rss").splitlines()[1:]
        return {pid: facts for pid, *facts in map(str.split, lines)}

    def logs(self) -> str:
        return docker("logs", self.id)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", self.id))
        return found

    def stop(self, signal: str = "") -> int:
        """End it as an orchestrator does (its image's signal, SIGKILL after 20 s) and return its exit status."""
        if signal:
            docker("kill", "--signal", signal, self.id)
            return self.wait()
        docker("stop", "--time=20", self.id)
        return int(self.state()["ExitCode"])

    def start(self) -> None:
        docker("start", self.id)

    def wait(self) -> int:
        """Wait until it has ended by itself; its exit status."""
        return int(docker("wait", self.id).splitlines()[-1])


def until(ask: Callable[[], T | None], box: Box) -> T:
    """The first answer of `ask` that is not None; OSError counts as none yet."""
    deadline = time.monotonic() + PATIENCE
    problem: object = None
    while time.monotonic() < deadline:
        try:
            if (answer := ask()) is not None:
                return answer
        except OSError as error:
            problem = error
        if not box.state()["Running"]:
            pytest.fail(f"{box.name} ended with {box.state()['ExitCode']}:\n{box.logs()}")
        time.sleep(0.1)
    pytest.fail(f"{box.name} does not answer ({problem}):\n{box.logs()}")


@dataclass
class Boxes:
    """Starts containers of one image on a network of their own, and removes them."""

    network: str
    ids: list[str] = field(default_factory=list)

    def run(
        self,
        image: str,
        *arguments: str,
        name: str = "",
        env: Mapping[str, str] | None = None,
        ports: Sequence[int] = (),
        options: Sequence[str] = (),
    ) -> Box:
        """Start a container; `ports` are published on free ports of this machine's loopback address."""
        full = f"contract-{uuid.uuid4().hex[:8]}{name and '-' + name}"
        words = ["create", f"--name={full}", f"--label={LABEL}", f"--network={self.network}"]
        words += [f"--network-alias={name}"] if name else []
        words += [f"--env={key}={value}" for key, value in (env or {}).items()]
        words += [f"--publish=127.0.0.1::{port}" for port in ports]
        made = docker(*words, *options, image, *arguments).splitlines()[-1]
        self.ids.append(made)
        docker("start", made)
        return Box(made, full)

    def remove(self) -> None:
        if self.ids:
            docker("rm", "--force", "--volumes", *self.ids)


def upstream(artefact: str) -> str:
    """The upstream image that the artefact list names, by its digest; empty without one."""
    table = CATALOGUE[artefact]
    digest = table.digests.get(machine.architecture(), "")
    return f"{table.upstream}@{digest}" if digest else table.upstream


@functools.cache
def to_be_had(reference: str) -> bool:
    """Whether an image is on the engine, after an attempt to pull it where its registry can be reached."""
    if facts(reference):
        return True
    host, slash, _ = reference.partition("/")
    host = host if slash and ("." in host or ":" in host) else "registry-1.docker.io"
    name, _, port = host.partition(":")
    try:
        with socket.create_connection((name, int(port or 443)), timeout=3):
            pass
    except OSError:
        return False
    docker("pull", "--quiet", reference, check=False, timeout=PULL)
    return bool(facts(reference))


def facts(reference: str) -> dict[str, Any]:
    """What the engine knows about an image; nothing where it has none of that name."""
    done = subprocess.run(["docker", "image", "inspect", reference], capture_output=True, check=False, timeout=60)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else [{}]
    return found[0]


def built(reference: str) -> bool:
    """Whether an image was made by a recipe; what was pulled has no label of ours."""
    return (facts(reference).get("Config", {}).get("Labels") or {}).get("dev.seatrial.foundry.origin") == "recipe"


@functools.cache
def replaced_by(artefact: str) -> str:
    """The real images that are here instead of a stand-in, which then is not; empty where it has to be."""
    real = [one.ref for one in CATALOGUE.artefacts.values() if one.stand_in == artefact]
    here = bool(real) and all(facts(ref) for ref in real) and not facts(CATALOGUE[artefact].ref)
    return ", ".join(real) if here else ""


@functools.cache
def images(artefact: str) -> dict[str, str]:
    """The images to test, by the name of their origin. The one that charts use belongs to them, present or not."""
    ref = CATALOGUE[artefact].ref
    if facts(ref) and not built(ref):
        return {"upstream": ref}
    found = {"foundry": ref}
    if (other := upstream(artefact)) and to_be_had(other):
        found["upstream"] = other
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "image" in metafunc.fixturenames:
        artefact = metafunc.module.ARTEFACT
        if real := replaced_by(artefact):
            skip = pytest.mark.skip(reason=f"not run: {real} is here, and {artefact} stands in for nothing")
            metafunc.parametrize("image", [pytest.param("", id="replaced", marks=skip)], scope="module")
            return
        found = images(artefact)
        metafunc.parametrize("image", found.values(), ids=found.keys(), scope="module")


def pytest_report_collectionfinish(items: Sequence[pytest.Item]) -> list[str]:
    """Say which images are tested, and which are not because they are not to be had here."""
    lines = []
    tested = {getattr(getattr(item, "module", None), "ARTEFACT", "") for item in items} - {""}
    for artefact in sorted(tested):
        told = [f"{ref} ({origin})" for origin, ref in images(artefact).items()]
        if upstream(artefact) and "upstream" not in images(artefact):
            told.append(f"{upstream(artefact)} is not to be had here")
        lines.append(f"contract of {artefact}: {', '.join(told)}")
    return lines


@pytest.fixture(scope="module")
def own(request: pytest.FixtureRequest) -> str:
    """Foundry's image of the module's artefact, made by its recipe: for what it promises beyond upstream's."""
    ref = CATALOGUE[request.module.ARTEFACT].ref
    if real := replaced_by(request.module.ARTEFACT):
        pytest.skip(f"not run: {real} is here, and {request.module.ARTEFACT} stands in for nothing")
    if facts(ref) and not built(ref):
        pytest.skip(f"{ref} is upstream's own here")
    return ref


@pytest.fixture
def _there(request: pytest.FixtureRequest) -> None:
    """Skip a test of an artefact in whose place the real image is."""
    artefact = request.getfixturevalue("artefact")
    if real := replaced_by(artefact):
        pytest.skip(f"not run: {real} is here, and {artefact} stands in for nothing")


@pytest.fixture
def catalogue() -> artefacts.Catalogue:
    """The project's artefact list."""
    return CATALOGUE


@pytest.fixture
def inspect() -> Callable[[str], dict[str, Any]]:
    """What the engine knows about an image."""
    return facts


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    """A network for the containers of this run."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    docker("network", "create", f"--label={LABEL}", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture
def boxes(network: str) -> Iterator[Boxes]:
    """Containers for one test."""
    made = Boxes(network)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def shared_boxes(network: str) -> Iterator[Boxes]:
    """Containers for all tests of a module."""
    made = Boxes(network)
    yield made
    made.remove()
