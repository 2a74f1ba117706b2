"""Build Docker 29 from Go modules, run it as a second engine, and use it as foundry and seatrial do.

    .venv/bin/python foundry/tests/e2e/docker29.py /var/tmp/docker29

Requires root on Linux. The first run builds for at least 20 minutes on an idle machine, later runs take a minute.
Docker 29 keeps images in containerd: ids are digests of manifests, builds by buildx have attestations, and sizes
differ.

The engine has its own directory, socket, containerd and network namespace. In the network namespace of another engine
it would delete that engine's bridge. Its answers are written to `answers.json` in the directory.
`seatrial/tests/adapters/answers` has those from the first inspection of several images on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seatrial.adapters.docker import IMAGE_LABEL, DockerEngine
from seatrial.adapters.process import LocalProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.spec import ImageSpec
from seatrial.ports import Completed

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".venv" / "bin"
MOBY = "v2.0.0-beta.24"
CLI = "v29.8.2+incompatible"
PYTHON = "foundry.invalid/python:3.13"
REGISTRY = "foundry.invalid/registry:2"
SHOP = "docker29-shop"
# Tags in seatrial's form: digests of a build's inputs.
ONE, AGAIN, TWO = (f"{SHOP}:{digit * 12}" for digit in "1a2")

ROSETTA = """\
// Package rosetta stands in for a module that the proxy does not serve; it is about macOS alone.
package rosetta

// Enabled says that this is no Mac.
func Enabled() bool { return false }
"""


def run(*argv: str | Path, **options: Any) -> str:
    """Run a program and return its standard output."""
    return subprocess.run([str(word) for word in argv], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


# --- build ---


def build(directory: Path) -> None:
    """Build the engine and its client, unless they exist."""
    programs = directory / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    if not (programs / "dockerd").exists():
        packages = ("dockerd", "docker-proxy")
        go(directory / "moby", [f"github.com/moby/moby/v2/cmd/{name}@{MOBY}" for name in packages], programs)
    if not (programs / "docker").exists():
        work = directory / "cli"
        (work / "rosetta").mkdir(parents=True, exist_ok=True)
        (work / "rosetta" / "go.mod").write_text("module github.com/tonistiigi/go-rosetta\n\ngo 1.20\n")
        (work / "rosetta" / "rosetta.go").write_text(ROSETTA)
        # The client has no go.mod; vendor.mod lists its dependencies.
        told = json.loads(run("go", "mod", "download", "-json", f"github.com/docker/cli@{CLI}", cwd=directory))
        vendor = (Path(told["Dir"]) / "vendor.mod").read_text()
        requires = "\n".join(re.findall(r"^require \(.*?^\)", vendor, re.MULTILINE | re.DOTALL))
        replace = "replace github.com/tonistiigi/go-rosetta => ./rosetta\n"
        version = f"-X github.com/docker/cli/cli/version.Version={CLI.removeprefix('v').partition('+')[0]}"
        go(work, [f"github.com/docker/cli/cmd/docker@{CLI}"], programs, more=f"{replace}\n{requires}\n", flags=version)
    for tool in ("containerd", "docker-buildx"):
        if subprocess.run([BIN / "foundry", "path", tool], cwd=ROOT, capture_output=True, check=False).returncode:
            run(BIN / "foundry", "build", tool, cwd=ROOT)
    for program in Path(run(BIN / "foundry", "path", "containerd", cwd=ROOT).strip()).rglob("*"):
        if program.is_file() and os.access(program, os.X_OK):
            shutil.copy2(program, programs / program.name)
    plugins = directory / "config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy2(run(BIN / "foundry", "path", "docker-buildx", cwd=ROOT).strip(), plugins / "docker-buildx")


def go(work: Path, packages: Sequence[str], out: Path, *, more: str = "", flags: str = "") -> None:
    """Build commands of Go modules in a new main module."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "go.mod").write_text(f"module foundry.invalid/build\n\ngo 1.26.0\n\n{more}")
    env = os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    run("go", "get", "-tool", *packages, cwd=work, env=env)
    names = [package.partition("@")[0] for package in packages]
    run("go", "build", "-trimpath", "-gcflags=all=-dwarf=false", f"-ldflags=-s -w {flags}", "-o", f"{out}/", *names,
        cwd=work, env=env)  # fmt: skip


# --- engine ---


@contextmanager
def engine(directory: Path) -> Iterator[None]:
    """Run the engine and make this process and its children use it."""
    socket, state = directory / "docker.sock", directory / "run"
    config = directory / "daemon.json"
    config.write_text('{"features": {"containerd-snapshotter": true}}')
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["PATH"] = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
    argv = ["dockerd", f"--host=unix://{socket}", f"--data-root={directory / 'data'}", f"--exec-root={state}"]
    argv += [f"--pidfile={directory / 'dockerd.pid'}", f"--config-file={config}"]
    with (directory / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    here = os.environ | {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(directory / "config")}
    before = dict(os.environ)
    os.environ.update(here)
    try:
        until = time.monotonic() + 60
        while subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
            assert daemon.poll() is None, f"see {directory / 'dockerd.log'}"
            assert time.monotonic() < until, f"see {directory / 'dockerd.log'}"
            time.sleep(0.2)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


# --- use ---


class Recorded(LocalProcesses):
    """Run programs and record docker's answers."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[dict[str, Any]] = []

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        """Run a program and record its answer."""
        done = super().run(argv, **options)
        said = {"stdout": done.stdout.decode(errors="replace"), "stderr": done.stderr.decode(errors="replace")}
        self.answers.append({"argv": list(argv), "code": done.code, **said})
        return done


def soon() -> Deadline:
    return Deadline.after(300)


def use(directory: Path, registry: str) -> list[dict[str, Any]]:
    """Use the engine as image delivery does, check each answer, and return the answers."""
    processes = Recorded()
    docker = DockerEngine(processes)
    print(f"engine {docker.version()}")
    context = directory / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(f"FROM {PYTHON}\nCOPY file /file\nENV A=b\nUSER 1000\nWORKDIR /app\n")
    spec = ImageSpec(name=SHOP, context=context)

    def built(tag: str, text: str) -> Any:
        (context / "file").write_text(text)
        labels = {"dev.seatrial.docker29": "shop", IMAGE_LABEL: SHOP}
        log = directory / "build.log"
        return docker.build(spec, tag, labels=labels, deadline=soon(), log=log, progress=lambda _: None)

    one = built(ONE, "one")
    assert (one.user, one.env["A"], one.workdir) == ("1000", "b", "/app")
    again = built(AGAIN, "one")
    assert again.digest == one.digest, "the same files are the same image"
    two = built(TWO, "two")
    assert two.digest != one.digest
    found = docker.inspect([ONE, f"docker.io/library/{TWO}", one.digest, PYTHON, "none:1"])
    assert found.keys() == {ONE, f"docker.io/library/{TWO}", one.digest, PYTHON}
    base = docker.weigh([PYTHON])
    assert base > 50 << 20
    assert base < docker.weigh([ONE, TWO]) < base + (1 << 20), "the base counts once"
    target = f"{registry}/library/{ONE}"
    docker.push(ONE, target, deadline=soon(), progress=lambda _: None)
    assert target not in docker.inspect([target]), "the name was for the push only"
    assert ONE in docker.inspect([ONE])
    docker.pull(target, deadline=soon())
    pulled = docker.inspect([target])[target]
    assert pulled.digest == one.digest
    docker.docker("rmi", target)
    docker.thin({"dev.seatrial.docker29": "shop", IMAGE_LABEL: SHOP}, keep=1)
    assert docker.inspect([ONE, AGAIN, TWO]).keys() == {TWO}, "the newest stays"
    assert docker.drop(volume="docker29-none", label="dev.seatrial.docker29", images=[TWO]) == [TWO]
    return processes.answers


def container_builder(directory: Path) -> None:
    """Build with a buildx container builder outside of the engine, if its image is available."""
    docker = DockerEngine(LocalProcesses())
    if "moby/buildkit:buildx-stable-1" not in docker.inspect(["moby/buildkit:buildx-stable-1"]):
        print("BuildKit image not found: skipping container builders")
        return
    run("docker", "buildx", "create", "--name=docker29", "--driver=docker-container", "--use")
    try:
        spec = ImageSpec(name="docker29-container", context=directory / "context")
        (directory / "context" / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
        labels = {"dev.seatrial.docker29": "container"}
        log = directory / "build.log"
        docker.build(spec, "docker29-container:1", labels=labels, deadline=soon(), log=log, progress=lambda _: None)
        run("docker", "rmi", "docker29-container:1")
    finally:
        run("docker", "buildx", "rm", "docker29")


def main() -> int:
    """Build and start the engine, use it, and run foundry's engine tests on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="for programs, images and logs of the engine")
    parser.add_argument("--inside", action="store_true", help="already in the engine's network namespace")
    told = parser.parse_args()
    directory, images = told.directory.absolute(), told.directory.absolute() / "images.tar"
    if not told.inside:
        # Steps that need the network or the other engine come first.
        build(directory)
        run("docker", "image", "save", "--output", images, PYTHON, REGISTRY)
        return subprocess.run(
            ["unshare", "--net", sys.executable, __file__, directory, "--inside"], check=False
        ).returncode
    with engine(directory):
        run("docker", "image", "load", "--input", images)
        started = ("--detach", "--name=docker29-registry", "--publish=127.0.0.1::5000", REGISTRY)
        run("docker", "run", *started)
        try:
            port = run("docker", "port", "docker29-registry", "5000/tcp").strip().rpartition(":")[2]
            answers = use(directory, f"localhost:{port}")
            container_builder(directory)
        finally:
            run("docker", "rm", "--force", "--volumes", "docker29-registry")
        (directory / "answers.json").write_text(json.dumps(answers, indent=1))
        tests = ["foundry/tests/e2e/test_images.py", "-q", "-p", "no:cacheprovider"]
        return subprocess.run([BIN / "pytest", *tests], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
