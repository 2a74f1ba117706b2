"""Test `foundry up` on users' machines: without Go, without root, with slow, failing and unreachable registries."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest

import foundry
from foundry import keys
from foundry.artifacts import load
from foundry.machine import architecture

FAKE = Path(__file__).with_name("fake_docker.py")
SOURCE = Path(foundry.__file__).parent
ROOT = Path(__file__).parents[2]


def unprivileged() -> list[str]:
    """Return words that run a command as an unprivileged user; empty if the tests do not run as root."""
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


@cache
def python() -> str:
    """Return a Python that the unprivileged user can run. Root's own is often below /root."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for program in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with suppress(OSError):
            argv = [*unprivileged(), "env", program, "-c", check]
            if subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return program
    pytest.fail("requires Python 3.11 in /usr/bin or /usr/local/bin")


@dataclass
class FakeEngine:
    """The fake `docker` on PATH, and its files."""

    folder: Path

    @property
    def path(self) -> str:
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def program(self, name: str, script: str) -> None:
        """Put a shell script on PATH."""
        file = self.folder / "bin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def has(self, **images: Mapping[str, Any]) -> None:
        (self.folder / "images.json").write_text(json.dumps(images))

    def pulls(self, behavior: Mapping[str, Any]) -> None:
        (self.folder / "pulls.json").write_text(json.dumps(behavior))

    def names(self) -> set[str]:
        images = json.loads((self.folder / "images.json").read_text())
        return {name for image in images.values() for name in image["RepoTags"]}

    def calls(self, *words: str) -> list[dict[str, Any]]:
        told = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        return [call for call in told if call["words"][: len(words)] == list(words)]


@pytest.fixture
def public() -> Iterator[Path]:
    """Provide a folder that every user may enter. pytest's own folders are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="foundry-tests-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def engine(public: Path) -> FakeEngine:
    made = FakeEngine(public / "fake")
    made.program("docker", f'FAKE_DOCKER="{made.folder}" exec "{python()}" "{made.folder / FAKE.name}" "$@"')
    shutil.copy(FAKE, made.folder)
    return made


IMAGE = """
[artifact.web]
kind = "image"
version = "3"
setup = true
"""


def test_up_ready_image_under_former_name_is_tagged(project, engine):
    project.write(IMAGE, web="raise RuntimeError('the recipe ran')")
    catalog = load(project.root / "foundry" / "artifacts.toml")
    key = keys.keys(catalog, arch=architecture(), ca_digest="")["web"]
    labels = {"dev.seatrial.foundry.key": key}
    engine.has(old={"Id": "sha256:1", "RepoTags": ["foundry/web:3"], "Config": {"Labels": labels}})

    told = project.run("up", PATH=engine.path).stderr

    assert "foundry.invalid/web:3: reused foundry/web:3" in told
    assert engine.names() == {"foundry/web:3", "foundry.invalid/web:3"}


def test_up_stale_image_under_former_name_is_rebuilt(project, engine):
    project.write(IMAGE, web="raise RuntimeError('the recipe ran')")
    labels = {"dev.seatrial.foundry.key": "0" * 64}
    engine.has(old={"Id": "sha256:1", "RepoTags": ["foundry/web:3"], "Config": {"Labels": labels}})

    told = project.run("up", status=1, PATH=engine.path).stderr

    assert "the recipe ran" in told
    assert engine.names() == {"foundry/web:3"}


# -- pulls -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[str]:
    """Provide `localhost:port` of a server that accepts connections, as a reachable registry does."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"localhost:{listening.getsockname()[1]}"


def pulled_table(name: str, upstream: str, **more: str) -> str:
    facts = {"kind": '"image"', "version": '"3"', "setup": "true", "upstream": f'"{upstream}"', **more}
    return f"\n[artifact.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in facts.items())


RECIPE = "raise RuntimeError('the recipe ran')"


def test_up_registry_answering_after_4_s_is_used(project, engine, server):
    project.write(pulled_table("web", f"{server}/web:3"), web=RECIPE)
    engine.pulls({"*": [{"after": 4}]})

    told = project.run("up", PATH=engine.path).stderr

    assert f"foundry.invalid/web:3: pulled {server}/web:3@sha256:" in told
    assert "artifacts are ready" in told


def test_up_slow_registry_is_reported(project, engine, server):
    project.write(pulled_table("web", f"{server}/web:3"), web=RECIPE)
    engine.pulls({"*": [{"after": 6}]})

    assert f"{server} accepts connections but has not answered yet" in project.run("up", PATH=engine.path).stderr


def test_up_unreachable_registry_costs_3_s(project, engine):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"localhost:{closed.getsockname()[1]}"
    project.write(pulled_table("web", f"{nobody}/web:3"), web=RECIPE)
    engine.pulls({"*": [{"after": 60}]})
    began = time.monotonic()

    told = project.run("up", status=1, PATH=engine.path).stderr

    assert f"skipping registry {nobody}: no answer within 3 s" in told
    assert time.monotonic() - began < 10


def test_up_transient_pull_failure_is_tried_three_times(project, engine, server):
    project.write(pulled_table("web", f"{server}/web:3"), web=RECIPE)
    cause = 'Get "https://r/v2/": net/http: TLS handshake timeout'
    engine.pulls({"*": [{"fail": cause}]})

    told = project.run("up", status=1, PATH=engine.path).stderr

    assert len(engine.calls("pull")) == 3
    assert told.count(f"{server}/web:3: pull failed: {cause}; retrying") == 2
    assert f"skipping registry {server}: {cause}" in told


def test_up_pull_failing_once_succeeds(project, engine, server):
    project.write(pulled_table("web", f"{server}/web:3"), web=RECIPE)
    engine.pulls({f"{server}/web:3": [{"fail": "unexpected EOF"}, {}]})

    told = project.run("up", PATH=engine.path).stderr

    assert "unexpected EOF; retrying" in told
    assert "artifacts are ready" in told


@pytest.mark.parametrize(
    "cause",
    [
        "toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "manifest for web:3 not found: manifest unknown",
        "write /var/lib/docker/tmp: no space left on device",
    ],
)
def test_up_permanent_pull_failure_is_not_retried(project, engine, server, cause):
    project.write(pulled_table("web", f"{server}/web:3"), web=RECIPE)
    engine.pulls({"*": [{"fail": cause}]})

    told = project.run("up", status=1, PATH=engine.path).stderr

    assert len(engine.calls("pull")) == 1
    assert cause in told


def test_up_pulls_two_images_at_a_time(project, engine, server):
    names = ("one", "two", "three", "four")
    project.write("".join(pulled_table(name, f"{server}/{name}:3") for name in names), **dict.fromkeys(names, RECIPE))
    engine.pulls({"*": [{"together": 2, "layers": [0.2, 0.2]}]})

    told = project.run("up", PATH=engine.path).stderr

    pulls = engine.calls("pull")
    assert max(sum(one["began"] <= call["began"] < one["ended"] for one in pulls) for call in pulls) == 2
    assert {f"  {name}: pulling 3" for name in names} <= set(told.splitlines())
    assert "[4/4]" in told


# -- without root ------------------------------------------------------------------------------------------------------


def as_nobody(engine: FakeEngine, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run foundry without root, without Go, and with an environment of its own."""
    shutil.copytree(SOURCE, engine.folder / "foundry", ignore=shutil.ignore_patterns("__pycache__"))
    home = engine.folder / "home"
    home.mkdir()
    for tree in (folder, engine.folder):
        for file in [tree, *tree.rglob("*")]:
            file.chmod(0o777)
    settings = [f"PATH={engine.folder / 'bin'}:/usr/bin:/bin", f"HOME={home}", f"PYTHONPATH={engine.folder}"]
    return subprocess.run(
        [*unprivileged(), "env", "-i", *settings, python(), "-m", "foundry", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_up_without_root_reports_pull_failure_and_builds_nothing(project, public, engine, server):
    project = replace(project, root=public / "project").write(
        pulled_table("web", f"{server}/web:3", inputs='["base"]')
        + '[artifact.base]\nkind = "image"\nversion = "1"\nroot = true\n',
        web=RECIPE,
        base=RECIPE,
    )
    engine.pulls({"*": [{"fail": "toomanyrequests: You have reached your pull rate limit"}]})

    done = as_nobody(engine, project.root, "up")

    assert done.returncode == 1
    assert "foundry: cannot pull or build on this machine: base, web" in done.stderr
    assert f"reason: {server}: toomanyrequests: You have reached your pull rate limit" in done.stderr
    assert "hint: run docker login" in done.stderr
    assert "the recipe ran" not in done.stderr
    assert "debootstrap" not in done.stderr


# -- releases ----------------------------------------------------------------------------------------------------------


class Releases(http.server.BaseHTTPRequestHandler):
    """A release server that answers after a delay, or fails the first requests."""

    program = b"#!/bin/sh\necho fortune 2.1.0\n"
    delay: ClassVar[float] = 0.0
    failures: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        time.sleep(self.delay)
        if self.failures:
            self.send_error(self.failures.pop())
            return
        body = self.program
        if self.path.endswith("sums.txt"):
            other, this = "0" * 64, hashlib.sha256(self.program).hexdigest()
            body = f"{other}  fortune-2.1.0-plan9\n{this}  fortune-2.1.0\n".encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Releases, "failures", [])
    monkeypatch.setattr(Releases, "delay", 0.0)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Releases) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def tool(releases: str) -> str:
    return f"""
[artifact.fortune]
kind = "tool"
version = "2.1.0"
setup = true
release.url = "{releases}/fortune-{{version}}"
release.sha256_url = "{releases}/sums.txt"
"""


def test_up_release_server_answering_after_4_s_is_used(project, engine, releases, monkeypatch):
    monkeypatch.setattr(Releases, "delay", 4.0)
    project.write(tool(releases), fortune=RECIPE)

    told = project.run("up", PATH=engine.path).stderr

    assert "fortune 2.1.0: release," in told


def test_up_loopback_release_bypasses_proxy(project, engine, releases):
    project.write(tool(releases), fortune=RECIPE)

    told = project.run("up", PATH=engine.path, http_proxy="http://127.0.0.1:9", NO_PROXY="mine.example").stderr

    assert "fortune 2.1.0: release," in told


def test_up_release_server_error_is_retried(project, engine, releases, monkeypatch):
    monkeypatch.setattr(Releases, "failures", [503])
    project.write(tool(releases), fortune=RECIPE)

    told = project.run("up", PATH=engine.path).stderr

    assert "HTTP Error 503: Service Unavailable; retrying" in told
    assert "fortune 2.1.0: release," in told


def test_up_missing_release_is_reason_of_failed_build(project, engine, releases, monkeypatch):
    monkeypatch.setattr(Releases, "failures", [404])
    project.write(tool(releases), fortune=RECIPE)

    told = project.run("up", status=1, PATH=engine.path).stderr

    assert "foundry: build failed: fortune" in told
    assert "HTTP Error 404: Not Found" in told.split("foundry: build failed")[1]


def test_up_release_file_is_provided_without_recipe(project, engine, releases):
    digest = hashlib.sha256(Releases.program).hexdigest()
    table = f"""
[artifact.page]
kind = "files"
version = "2.1.0"
setup = true
release.url = "{releases}/page.txt"
release.sha256 = {{ any = "{digest}" }}
"""
    project.write(table, page=RECIPE)

    project.run("up", "page", PATH=engine.path)

    folder = Path(project.run("path", "page", PATH=engine.path).stdout.strip())
    assert (folder / "page.txt").read_bytes() == Releases.program
    (fact,) = json.loads(project.run("status", "--json", PATH=engine.path).stdout)
    assert fact["origin"] == "release"


# -- this project ------------------------------------------------------------------------------------------------------

CATALOGUE = load(Path(__file__).parents[1] / "artifacts.toml")


def clone(target: Path) -> Path:
    """Copy the files of this repository, committed or not, as `git clone` would."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def test_up_fresh_clone_without_root_and_go_succeeds(public, engine):
    engine.program("kind", "echo kind v0.33.0 go1.26 linux/amd64")
    engine.program("helm", "echo v4.3.1+g0")
    engine.program("kubectl", "echo Client Version: v1.34.4")
    project = clone(public / "clone")

    done = as_nobody(engine, project, "up")

    assert done.returncode == 0, done.stderr
    assert "foundry: all 11 artifacts are ready (images " in done.stderr
    assert "building" not in done.stderr
    values = (project / ".foundry" / "values-images.yaml").read_text()
    assert 'repository: "foundry.invalid/polaris"' in values
    assert "standIn: false" in values


def test_contract_tests_of_stand_in_are_skipped_if_real_image_is_used(engine):
    refs = [one.ref for one in CATALOGUE.artifacts.values() if one.kind == "image" and one.name != "iceberg-rest"]
    engine.has(
        **{
            f"image{n}": {"Id": f"sha256:{n}", "RepoTags": [ref], "Config": {"Labels": None}}
            for n, ref in enumerate(refs)
        }
    )
    contract = Path(__file__).parent / "contract"

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rs",
            "-p",
            "no:cacheprovider",
            "test_iceberg_rest.py",
            "test_sizes.py",
        ],
        cwd=contract,
        env={**os.environ, "PATH": engine.path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    real = "foundry.invalid/polaris:1.8.0, foundry.invalid/polaris-admin-tool:1.8.0"
    assert f"not run: {real} is available, stand-in iceberg-rest is not needed" in done.stdout
    assert not engine.calls("pull")


def test_project_setup_needs_no_build_if_registries_answer():
    wanted = [one for one in CATALOGUE.artifacts.values() if one.setup]

    assert wanted
    assert [one.name for one in wanted if one.closed_network_only] == []
