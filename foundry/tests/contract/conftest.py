"""Provide fixtures for contract tests: the behavior of an image that a chart relies on, tested in real containers.

A module names its artifact in `ARTIFACT`. Its tests run on foundry's image and on the upstream image of the artifact
list, if the engine has that image or a registry provides it. The report names images that are not tested.
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

from foundry import artifacts, machine

T = TypeVar("T")
PATIENCE = 60.0  # seconds until a service answers; foundry's images need two on an idle machine
PULL = 600.0
LABEL = "dev.seatrial.contract-test"
CATALOGUE = artifacts.load(artifacts.find(Path(__file__)))


def docker(*words: str | Path, check: bool = True, timeout: float = 120) -> str:
    """Run a docker command; return both output streams as one string."""
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
        """Return host:port on this machine for a port of the container; OSError if the container has exited."""
        published = docker("port", self.id, f"{port}/tcp", check=False)
        if ":" not in published:
            raise ConnectionRefusedError(published)  # the container has exited
        return published.splitlines()[0]

    def http(
        self,
        port: int,
        path: str,
        *,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; an HTTP error is an answer, a refused connection raises OSError."""
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
        """Wait until the answer has this status."""
        return until(lambda: found if (found := self.http(port, path)).status == status else None, self)

    def exec(self, *words: str, env: Mapping[str, str] | None = None, user: str = "", check: bool = True) -> str:
        options = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return docker("exec", *options, *([f"--user={user}"] if user else []), self.id, *words, check=check)

    def user(self) -> str:
        """Return the user id of the first process."""
        return self._processes()[str(self.state()["Pid"])][0]

    def memory(self) -> int:
        """Return the resident memory of the first process in bytes."""
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
        """Stop the container with its image's signal, and SIGKILL after 20 s. Return the exit code."""
        if signal:
            docker("kill", "--signal", signal, self.id)
            return self.wait()
        docker("stop", "--time=20", self.id)
        return int(self.state()["ExitCode"])

    def start(self) -> None:
        docker("start", self.id)

    def wait(self) -> int:
        """Wait until the container exits; return its exit code."""
        return int(docker("wait", self.id).splitlines()[-1])


def until(ask: Callable[[], T | None], box: Box) -> T:
    """Return the first result of `ask` that is not None; OSError counts as None."""
    deadline = time.monotonic() + PATIENCE
    problem: object = None
    while time.monotonic() < deadline:
        try:
            if (answer := ask()) is not None:
                return answer
        except OSError as error:
            problem = error
        if not box.state()["Running"]:
            pytest.fail(f"{box.name} exited with {box.state()['ExitCode']}:\n{box.logs()}")
        time.sleep(0.1)
    pytest.fail(f"{box.name} does not answer ({problem}):\n{box.logs()}")


@dataclass
class Boxes:
    """Start containers of one image on their own network, and remove them."""

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
        """Start a container; `ports` are published on free loopback ports."""
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


def upstream(artifact: str) -> str:
    """Return the upstream image of the artifact list with its digest; empty if the list has no such image."""
    table = CATALOGUE[artifact]
    digest = table.digests.get(machine.architecture(), "")
    return f"{table.upstream}@{digest}" if digest else table.upstream


@functools.cache
def is_available(reference: str) -> bool:
    """Return whether an image is on the engine, after an attempt to pull it."""
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
    """Return the engine's information about an image; empty if it does not exist."""
    done = subprocess.run(["docker", "image", "inspect", reference], capture_output=True, check=False, timeout=60)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else [{}]
    return found[0]


def is_built(reference: str) -> bool:
    """Return whether a recipe built the image. Pulled images lack foundry's label."""
    return (facts(reference).get("Config", {}).get("Labels") or {}).get("dev.seatrial.foundry.origin") == "recipe"


@functools.cache
def real_images(artifact: str) -> str:
    """Return the real images that make a stand-in unnecessary; empty if the stand-in is needed."""
    real = [one.ref for one in CATALOGUE.artifacts.values() if one.stand_in == artifact]
    here = bool(real) and all(facts(ref) for ref in real) and not facts(CATALOGUE[artifact].ref)
    return ", ".join(real) if here else ""


@functools.cache
def images(artifact: str) -> dict[str, str]:
    """Return the images to test by origin, including the one that charts use."""
    ref = CATALOGUE[artifact].ref
    if facts(ref) and not is_built(ref):
        return {"upstream": ref}
    found = {"foundry": ref}
    if (other := upstream(artifact)) and is_available(other):
        found["upstream"] = other
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "image" in metafunc.fixturenames:
        artifact = metafunc.module.ARTIFACT
        if real := real_images(artifact):
            skip = pytest.mark.skip(reason=f"not run: {real} is available, stand-in {artifact} is not needed")
            metafunc.parametrize("image", [pytest.param("", id="replaced", marks=skip)], scope="module")
            return
        found = images(artifact)
        metafunc.parametrize("image", found.values(), ids=found.keys(), scope="module")


def pytest_report_collectionfinish(items: Sequence[pytest.Item]) -> list[str]:
    """Print which images are tested, and which are not available."""
    lines = []
    tested = {getattr(getattr(item, "module", None), "ARTIFACT", "") for item in items} - {""}
    for artifact in sorted(tested):
        origins = [f"{ref} ({origin})" for origin, ref in images(artifact).items()]
        if upstream(artifact) and "upstream" not in images(artifact):
            origins.append(f"{upstream(artifact)} is not available")
        lines.append(f"contract of {artifact}: {', '.join(origins)}")
    return lines


@pytest.fixture(scope="module")
def own(request: pytest.FixtureRequest) -> str:
    """Provide foundry's built image of the module's artifact, for tests of its additional promises."""
    ref = CATALOGUE[request.module.ARTIFACT].ref
    if real := real_images(request.module.ARTIFACT):
        pytest.skip(f"not run: {real} is available, stand-in {request.module.ARTIFACT} is not needed")
    if facts(ref) and not is_built(ref):
        pytest.skip(f"{ref} is upstream's image")
    return ref


@pytest.fixture
def _stand_in_needed(request: pytest.FixtureRequest) -> None:
    """Skip tests of an artifact that the real image replaces."""
    artifact = request.getfixturevalue("artifact")
    if real := real_images(artifact):
        pytest.skip(f"not run: {real} is available, stand-in {artifact} is not needed")


@pytest.fixture
def catalog() -> artifacts.Catalog:
    """Provide the project's artifact list."""
    return CATALOGUE


@pytest.fixture
def inspect() -> Callable[[str], dict[str, Any]]:
    """Provide a function that returns the engine's information about an image."""
    return facts


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    """Provide a network for the containers of this run."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    docker("network", "create", f"--label={LABEL}", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture
def boxes(network: str) -> Iterator[Boxes]:
    """Provide containers for one test."""
    made = Boxes(network)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def shared_boxes(network: str) -> Iterator[Boxes]:
    """Provide containers for all tests of a module."""
    made = Boxes(network)
    yield made
    made.remove()
