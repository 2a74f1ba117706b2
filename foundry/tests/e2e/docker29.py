"""Build Docker 29 from Go modules, run it as a second engine, and use it as foundry and seatrial do.

    .venv/bin/python foundry/tests/e2e/docker29.py
    .venv/bin/python foundry/tests/e2e/docker29.py --step deliver

Requires root on Linux, Go and gigabytes of disk. The first run builds for 15 minutes, later runs take some minutes.
Docker 29 keeps images in containerd: ids are digests of manifests, builds by buildx have attestations, and sizes
differ.

Steps:
    engine   build, inspect, push, pull and remove images with seatrial's adapter
    builder  build with a buildx container builder
    foundry  run foundry's engine tests
    deliver  `seatrial run` of a small project: build, kind cluster, delivery, release, tests

Step `engine` writes the engine's answers to `answers.json`, in the format of `seatrial/tests/adapters/answers`.

The engine has its own directory, socket, containerd and network namespace. In the network namespace of another engine
it would delete that engine's bridge. The namespace has no access to other networks: images are built or saved before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from seatrial.adapters.docker import IMAGE_LABEL, DockerEngine
from seatrial.adapters.process import LocalProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed
from seatrial.model.spec import ImageSpec
from seatrial.ports import Completed

from foundry import capability_shim, leftovers

ROOT = Path(__file__).resolve().parents[3]
BIN = ROOT / ".venv" / "bin"
MOBY = "v2.0.0-beta.24"
CLI = "v29.8.2+incompatible"
PYTHON = "foundry.invalid/python:3.13"
REGISTRY = "foundry.invalid/registry:2"
BUILDKIT = "foundry.invalid/buildkit:0.33.0"
NODE = "foundry.invalid/node:v1.34.4"
NEEDED = ("containerd", "docker-buildx", "kind", "helm", "kubectl", "buildkit", "python", "registry", "node")
TESTS = "docker29-tests:1"
PROJECT = ROOT / "seatrial" / "e2e" / "project"
SHOP = "docker29-shop"
BUILDER = "docker29-container"
# Tags in seatrial's form: digests of a build's inputs.
ONE, AGAIN, TWO = (f"{SHOP}:{digit * 12}" for digit in "1a2")

ROSETTA = """\
// Package rosetta stands in for a module that the proxy does not serve; it is about macOS alone.
package rosetta

// Enabled says that this is no Mac.
func Enabled() bool { return false }
"""

GO = os.environ | {"GOFLAGS": "-mod=mod", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}


def run(*argv: str | Path, **options: Any) -> str:
    """Run a program and return its standard output."""
    words = [str(word) for word in argv]
    told: str = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, **options).stdout
    return told


# --- build ---


def build(directory: Path) -> None:
    """Build the engine and its client, unless they exist."""
    programs = directory / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    if not (programs / "dockerd").exists():
        stamp = f"-X github.com/moby/moby/v2/dockerversion.Version={MOBY.removeprefix('v')}"
        packages = [f"github.com/moby/moby/v2/cmd/{name}@{MOBY}" for name in ("dockerd", "docker-proxy")]
        go(directory / "moby", packages, programs, flags=stamp)
    if not (programs / "docker").exists():
        work = directory / "cli"
        told = json.loads(run("go", "mod", "download", "-json", f"github.com/docker/cli@{CLI}", cwd=directory))
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(told["Dir"], work, copy_function=shutil.copyfile)
        # The client has no go.mod but vendor.mod. Without one, go builds it as a program for Go 1.16.
        (work / "vendor.mod").rename(work / "go.mod")
        (work / "vendor.sum").rename(work / "go.sum")
        (work / "rosetta").mkdir()
        (work / "rosetta" / "go.mod").write_text("module github.com/tonistiigi/go-rosetta\n\ngo 1.20\n")
        (work / "rosetta" / "rosetta.go").write_text(ROSETTA)
        run("go", "mod", "edit", "-replace=github.com/tonistiigi/go-rosetta=./rosetta", cwd=work)
        version = f"-X github.com/docker/cli/cli/version.Version={CLI.removeprefix('v').partition('+')[0]}"
        compile_(work, ["./cmd/docker"], programs, flags=version)
    run(
        BIN / "foundry",
        "up",
        "containerd",
        "docker-buildx",
        "buildkit",
        "python",
        "registry",
        "node",
        "kind",
        "helm",
        cwd=ROOT,
    )
    for program in Path(run(BIN / "foundry", "path", "containerd", cwd=ROOT).strip()).rglob("*"):
        if program.is_file() and os.access(program, os.X_OK):
            shutil.copy2(program, programs / program.name)
    plugins = directory / "config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy2(run(BIN / "foundry", "path", "docker-buildx", cwd=ROOT).strip(), plugins / "docker-buildx")


def go(work: Path, packages: Sequence[str], out: Path, *, flags: str) -> None:
    """Build commands of Go modules in a new main module."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "go.mod").write_text("module foundry.invalid/build\n\ngo 1.26.0\n")
    run("go", "get", "-tool", *packages, cwd=work, env=GO)
    compile_(work, [package.partition("@")[0] for package in packages], out, flags=flags)


def compile_(work: Path, packages: Sequence[str], out: Path, *, flags: str) -> None:
    """Build commands in the main module in a directory."""
    options = ("-trimpath", "-gcflags=all=-dwarf=false", f"-ldflags=-s -w {flags}")
    run("go", "build", *options, "-o", f"{out}/", *packages, cwd=work, env=GO)


# --- engine ---


def settings(directory: Path) -> dict[str, Any]:
    """Return the engine's configuration for a machine that may have an old runc and lack capabilities."""
    # runc before 1.2 does not support time namespaces.
    told: dict[str, Any] = {"features": {"containerd-snapshotter": True, "time-namespaces": False}}
    told["cgroup-parent"] = "/docker29"
    if capability_shim.missing(*capability_shim.bounding_set()):
        shim = directory / "capability-shim"
        shim.write_text(f"#!{sys.executable} -IS\n{Path(capability_shim.__file__).read_text()}")
        shim.chmod(0o755)
        told |= {"runtimes": {"shim": {"path": str(shim)}}, "default-runtime": "shim"}
    return told


@contextmanager
def engine(directory: Path) -> Iterator[None]:
    """Run the engine and make this process and its children use it."""
    paths = leftovers.Paths(directory / "data", directory / "run", directory / "docker.pid", directory / "docker.sock")
    # A killed run may have left an engine.
    leftovers.clean_up(paths)
    config = directory / "daemon.json"
    config.write_text(json.dumps(settings(directory)))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["PATH"] = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
    argv = ["dockerd", f"--host=unix://{paths.socket}", f"--data-root={paths.data}", f"--exec-root={paths.run}"]
    argv += [f"--pidfile={paths.pid}", f"--config-file={config}"]
    with (directory / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    here = os.environ | {"DOCKER_HOST": f"unix://{paths.socket}", "DOCKER_CONFIG": str(directory / "config")}
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


@contextmanager
def registry(images: Path) -> Iterator[str]:
    """Load the images and run a registry; yield its address."""
    run("docker", "image", "load", "--input", images)
    # A killed run may have left it.
    run("docker", "rm", "--force", "--volumes", "docker29-registry")
    run("docker", "run", "--detach", "--name=docker29-registry", "--publish=127.0.0.1::5000", REGISTRY)
    try:
        yield "localhost:" + run("docker", "port", "docker29-registry", "5000/tcp").strip().rpartition(":")[2]
    finally:
        run("docker", "rm", "--force", "--volumes", "docker29-registry")


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
        self.answers.append({"argv": list(argv[1:]), "code": done.code, **said})
        return done


def soon() -> Deadline:
    return Deadline.after(300)


def use_engine(directory: Path, registry: str) -> None:
    """Use the engine as image delivery does, and check each answer."""
    processes = Recorded()
    docker = DockerEngine(processes)
    print(f"engine {docker.info().version}")
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
    base = docker.disk_usage([PYTHON])
    assert base > 50 << 20
    assert base < docker.disk_usage([ONE, TWO]) < base + (1 << 20), "the base counts once"
    target = f"{registry}/library/{ONE}"
    docker.push(ONE, target, deadline=soon(), progress=lambda _: None)
    assert target not in docker.inspect([target]), "the name was for the push only"
    assert ONE in docker.inspect([ONE])
    docker.pull(target, deadline=soon())
    pulled = docker.inspect([target])[target]
    assert pulled.digest == one.digest
    docker.docker("rmi", target)
    docker.prune({"dev.seatrial.docker29": "shop", IMAGE_LABEL: SHOP}, keep=1)
    assert docker.inspect([ONE, AGAIN, TWO]).keys() == {TWO}, "the newest stays"
    assert docker.delete_cache(volume="docker29-none", label="dev.seatrial.docker29", images=[TWO]) == [TWO]
    first = next(number for number, answer in enumerate(processes.answers) if "none:1" in answer["argv"])
    (directory / "answers.json").write_text(f"{json.dumps(processes.answers[first:], indent=1)}\n")


def use_container_builder(directory: Path, registry: str) -> None:
    """Build with a buildx container builder: the base image is pulled from a registry."""
    docker = DockerEngine(LocalProcesses())
    base = f"{registry}/library/base:1"
    docker.push(PYTHON, base, deadline=soon(), progress=lambda _: None)
    create = ("docker", "buildx", "create", f"--name={BUILDER}", "--driver=docker-container", "--use")
    run(*create, f"--driver-opt=image={BUILDKIT},network=host")
    try:
        spec = ImageSpec(name=BUILDER, context=directory / "context")
        (directory / "context" / "Dockerfile").write_text(
            f"FROM {base}\nRUN --mount=type=cache,target=/cache python3 -c 'print(6 * 7)' >/answer\nCOPY file /file\n"
        )

        def built(tag: str) -> Any:
            labels = {"dev.seatrial.docker29": "container"}
            log = directory / "build.log"
            return docker.build(spec, f"{BUILDER}:{tag}", labels=labels, deadline=soon(), log=log, progress=print)

        assert built("1").digest == built("2").digest, "the same files are the same image"
        assert run("docker", "run", "--rm", f"{BUILDER}:1", "cat", "/answer") == "42\n"
        run("docker", "rmi", f"{BUILDER}:1", f"{BUILDER}:2")
        (directory / "context" / "Dockerfile").write_text(f"FROM {TESTS}\n")
        with pytest.raises(CommandFailed) as caught:
            built("3")
        assert "BUILDX_BUILDER=default" in caught.value.hint, caught.value.tail
    finally:
        run("docker", "buildx", "rm", BUILDER)


def deliver(directory: Path, _: str) -> None:
    """Run the tests of a small project in a kind cluster."""
    project = directory / "shop"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns(".seatrial", "__pycache__", ".pytest_cache"))
    (project / "Dockerfile").write_text(f"FROM {TESTS}\n{dockerfile()[1]}")
    config = (project / "seatrial.toml").read_text()
    (project / "seatrial.toml").write_text(config.replace("seatrial-e2e", "seatrial-docker29"))
    # The ledger of created clusters must not mix with that of the other engine.
    env = os.environ | {"XDG_STATE_HOME": str(directory / "state")}
    tools = [str(Path(run(BIN / "foundry", "path", tool, cwd=ROOT)).parent) for tool in ("kind", "helm", "kubectl")]
    env["PATH"] = os.pathsep.join([*tools, env["PATH"]])
    subprocess.run([sys.executable, "-m", "seatrial", "-C", project, "run"], cwd=project, env=env, check=True)
    left = run("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", "label=io.x-k8s.kind.cluster")
    assert not left, "the cluster is deleted"


def dockerfile() -> tuple[str, str]:
    """Return the project's Dockerfile in two parts: the steps that need the network, and the rest."""
    head, line, rest = (PROJECT / "Dockerfile").read_text().partition("ENV PATH=")
    return head, line + rest


def run_foundry_tests(_: Path, __: str) -> None:
    """Run foundry's engine tests."""
    argv = [str(BIN / "pytest"), "foundry/tests/e2e/test_images.py", "-q", "-p", "no:cacheprovider"]
    subprocess.run(argv, cwd=ROOT, check=True)


STEPS: dict[str, Callable[[Path, str], None]] = {
    "engine": use_engine,
    "builder": use_container_builder,
    "foundry": run_foundry_tests,
    "deliver": deliver,
}


def main() -> int:
    """Build and start the engine, and run the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp/docker29"), help="programs, images and logs of the engine"
    )
    parser.add_argument("--step", choices=STEPS, action="append", help="run this step only; may be repeated")
    parser.add_argument("--inside", action="store_true", help="already in the engine's network namespace")
    told = parser.parse_args()
    directory, images = told.directory.absolute(), told.directory.absolute() / "images.tar"
    if not told.inside:
        build(directory)
        run("docker", "build", "--tag", TESTS, "-", input=dockerfile()[0])
        run("docker", "image", "save", "--output", images, PYTHON, REGISTRY, BUILDKIT, NODE, TESTS)
        inside = ["unshare", "--net", sys.executable, __file__, "--inside", *sys.argv[1:]]
        return subprocess.run(inside, check=False).returncode
    with engine(directory), registry(images) as address:
        for name in told.step or STEPS:
            began = time.monotonic()
            STEPS[name](directory, address)
            print(f"{name}: done in {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
