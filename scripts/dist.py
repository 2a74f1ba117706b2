"""Build the wheel and the sdist of seatrial into dist/, and verify that they install and work.

The archives are built twice, from two copies of the source, and must be identical. `twine check` reads their metadata.
They are then installed in four ways, each into an empty location: by uvx from a local package index, by `uv tool
install`, by pipx, and by pip from the sdist. Each installation runs the first commands of the tutorial.

Dependencies come from the package index in the machine's settings. `SEATRIAL_REPOSITORY`, the repository's address,
adds the URLs to the metadata; a release requires it (`--release`).
"""

from __future__ import annotations

import contextlib
import email
import email.message
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "seatrial"
DIST = ROOT / "dist"
TOOLS = ROOT / "build" / "dist-tools"
UV = ROOT / ".venv" / "bin" / "uv"
EXAMPLE = PROJECT / "examples" / "orders-api"
PAGE = PROJECT / "docs" / "tutorial" / "from-nothing-to-green.md"


class DistError(Exception):
    """A property that a release must have is missing."""


def main(arguments: Sequence[str]) -> int:
    """Build and check the archives; print the verified properties."""
    try:
        archives = build(DIST)
        check_metadata(archives, release="--release" in arguments)
        check_contents(archives)
        tools = install_tools()
        run([tools / "twine", "check", "--strict", *archives])
        wheel, sdist = archives
        with tempfile.TemporaryDirectory(prefix="seatrial-dist-") as scratch:
            install_everywhere(wheel, sdist, tools, Path(scratch))
    except DistError as error:
        print(f"make dist: {error}", file=sys.stderr)
        return 1
    for archive in archives:
        print(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.relative_to(ROOT)}")
    return 0


def say(text: str) -> None:
    """Print a progress line."""
    print(text, file=sys.stderr, flush=True)


def run(argv: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its output.

    Raises:
        DistError: the program failed; contains its output.
    """
    done = subprocess.run(
        list(argv), cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DistError(
            f"{' '.join(map(str, argv))} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


# -- build -------------------------------------------------------------------------------------------------------------


def build(target: Path) -> tuple[Path, Path]:
    """Build wheel and sdist twice and put them into the emptied folder `target`.

    Raises:
        DistError: the two builds differ.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or run(["git", "log", "-1", "--format=%ct"]).strip()
    with tempfile.TemporaryDirectory(prefix="seatrial-build-") as scratch:
        first, second = (build_once(Path(scratch) / name, epoch) for name in ("one", "two"))
        for one, other in zip(first, second, strict=True):
            if one.name != other.name or one.read_bytes() != other.read_bytes():
                raise DistError(f"two builds of {one.name} differ")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        wheel, sdist = (Path(shutil.copy(archive, target)) for archive in first)
    say(f"built twice with identical results: {wheel.name}, {sdist.name}")
    return wheel, sdist


def build_once(scratch: Path, epoch: str) -> tuple[Path, Path]:
    """Build from a copy of the files that git tracks, so that no other file can be included."""
    for name in known():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, scratch / name)
    argv = [str(UV), "build", "--quiet", "--no-build-isolation", "--python", sys.executable]
    run([*argv, "--out-dir", scratch / "dist", scratch / "seatrial"], env={"SOURCE_DATE_EPOCH": epoch})
    (wheel,), (sdist,) = (scratch / "dist").glob("*.whl"), (scratch / "dist").glob("*.tar.gz")
    return wheel, sdist


def known() -> list[str]:
    """Return the project's files that git tracks or would add."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "seatrial"])
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


# -- check -------------------------------------------------------------------------------------------------------------


def metadata_of(archive: Path) -> email.message.Message:
    """Return the core metadata of a wheel or sdist (https://packaging.python.org/specifications/core-metadata)."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return email.message_from_bytes(wheel.read(name))
    with tarfile.open(archive) as sdist:
        (member,) = (name for name in sdist.getnames() if name.count("/") == 1 and name.endswith("/PKG-INFO"))
        file = sdist.extractfile(member)
        return email.message_from_bytes(file.read() if file else b"")


def check_metadata(archives: Sequence[Path], *, release: bool) -> None:
    """Compare the metadata with the project and the code.

    Raises:
        DistError: a field is missing or wrong.
    """
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    found = re.search(r'^__version__ = "(.+)"', (PROJECT / "src/seatrial/__init__.py").read_text(), re.MULTILINE)
    if not found or found[1] != project["version"]:
        raise DistError(f"__version__ is {found and found[1]}, pyproject.toml has {project['version']}")
    expected = {
        "Name": project["name"],
        "Version": project["version"],
        "Summary": project["description"],
        "License-Expression": project["license"],
        "License-File": "LICENSE",
        "Requires-Python": project["requires-python"],
        "Author": project["authors"][0]["name"],
        "Description-Content-Type": "text/markdown",
    }
    for archive in archives:
        metadata = metadata_of(archive)
        for field, value in expected.items():
            if metadata[field] != value:
                raise DistError(f"{archive.name}: {field} is {metadata[field]!r}, expected {value!r}")
        urls = {line.partition(", ")[0] for line in metadata.get_all("Project-URL") or ()}
        relative = re.findall(r"\]\((?!https?://|#)[^)]*\)", str(metadata.get_payload()))
        if (release or urls) and (urls != {"Source", "Documentation", "Changelog", "Issues"} or relative):
            raise DistError(
                f"{archive.name}: URLs {sorted(urls)}, relative links {relative}; set SEATRIAL_REPOSITORY=https://…"
            )
    say("metadata is complete" + ("" if urls else ", but for URLs: SEATRIAL_REPOSITORY is not set"))


def check_contents(archives: Sequence[Path]) -> None:
    """Check the contents of the archives.

    Raises:
        DistError: a file is missing, or does not belong there.
    """
    wheel, sdist = archives
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    version = metadata_of(wheel)["Version"]
    code = {name for name in names if not name.startswith(f"seatrial-{version}.dist-info/")}
    if "seatrial/py.typed" not in code or f"seatrial-{version}.dist-info/licenses/LICENSE" not in names:
        raise DistError(f"{wheel.name} lacks py.typed or LICENSE")
    if foreign := sorted(name for name in code if not name.startswith("seatrial/") or "__pycache__" in name):
        raise DistError(f"{wheel.name} holds {foreign[0]}")
    prefix = "seatrial/src/"
    if lost := {name.removeprefix(prefix) for name in known() if name.startswith(prefix)} - code:
        raise DistError(f"{wheel.name} lacks {min(lost)}")
    with tarfile.open(sdist) as opened_sdist:
        held = {name.partition("/")[2] for name in opened_sdist.getnames()}
    if lacking := {"LICENSE", "README.md", "hatch_build.py", "pyproject.toml", "tests/model", "docs/README.md"} - {
        *held,
        *(str(parent) for name in held for parent in Path(name).parents),
    }:
        raise DistError(f"{sdist.name} lacks {min(lacking)}")


# -- install -----------------------------------------------------------------------------------------------------------


def install_tools() -> Path:
    """Install twine and pipx from their lock file and return the folder of their programs."""
    stamp = TOOLS / "lock"
    lock = (ROOT / "locks" / "dist.txt").read_text()
    if not stamp.is_file() or stamp.read_text() != lock:
        shutil.rmtree(TOOLS, ignore_errors=True)
        run([UV, "venv", "--quiet", "--python", sys.executable, TOOLS])
        run([UV, "pip", "sync", "--quiet", "--require-hashes", "--python", TOOLS / "bin/python", "locks/dist.txt"])
        stamp.write_text(lock)
    return TOOLS / "bin"


@contextlib.contextmanager
def local_index(wheel: Path, folder: Path) -> Iterator[str]:
    """Serve a package index with only this wheel; yield its address (PEP 503)."""
    project = folder / "simple" / "seatrial"
    project.mkdir(parents=True)
    shutil.copy(wheel, project)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (project / "index.html").write_text(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>')
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server without a log."""

    def log_message(self, *_: object) -> None:
        """Discard the message."""


def install_everywhere(wheel: Path, sdist: Path, tools: Path, scratch: Path) -> None:
    """Install in each way, and run the first commands of the tutorial.

    Raises:
        DistError: an installation or a command failed.
    """
    version = metadata_of(wheel)["Version"]
    no_proxy = {name: f"{os.environ.get(name, '')},127.0.0.1".lstrip(",") for name in ("NO_PROXY", "no_proxy")}
    with local_index(wheel, scratch / "index") as index:
        env = {"UV_CACHE_DIR": str(scratch / "uvx-cache"), "UV_TOOL_DIR": str(scratch / "uvx"), **no_proxy}
        uvx = [str(UV), "tool", "run", "--quiet", "--index", index, "--from", f"seatrial=={version}", "seatrial"]
        first_commands("uvx, from a local package index", uvx, version, env, scratch)

    env = {"UV_TOOL_DIR": str(scratch / "uv"), "UV_TOOL_BIN_DIR": str(scratch / "uv-bin")}
    run([UV, "tool", "install", "--quiet", wheel], env=env)
    first_commands("uv tool install", [str(scratch / "uv-bin" / "seatrial")], version, {}, scratch)

    env = {"PIPX_HOME": str(scratch / "pipx"), "PIPX_BIN_DIR": str(scratch / "pipx-bin")}
    run(
        [tools / "pipx", "install", "--quiet", "--backend", "pip", wheel],
        env={**env, "PIPX_DEFAULT_PYTHON": sys.executable},
    )
    first_commands("pipx install", [str(scratch / "pipx-bin" / "seatrial")], version, {}, scratch)

    run([sys.executable, "-m", "venv", scratch / "bare"])
    run([scratch / "bare/bin/pip", "install", "--quiet", "--disable-pip-version-check", sdist])
    first_commands("pip install, from the sdist", [str(scratch / "bare/bin/seatrial")], version, {}, scratch)


def commands() -> list[str]:
    """Return the `seatrial` commands of the tutorial before the first run, which need neither engine nor cluster."""
    text = PAGE.read_text().partition("```sh\nseatrial run\n")[0]
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    return [line for line in lines if line.startswith("seatrial ") and line != "seatrial doctor"]


def first_commands(way: str, program: Sequence[str], version: str, env: Mapping[str, str], scratch: Path) -> None:
    """Run the first commands of the tutorial in a copy of its example.

    Raises:
        DistError: a command failed, or its result differs from the tutorial.
    """
    project = scratch / f"project-{way.split(',', maxsplit=1)[0].replace(' ', '-')}"
    shutil.copytree(EXAMPLE, project)
    if (said := run([*program, "--version"], cwd=project, env=env)).split()[-1:] != [version]:
        raise DistError(f"{way}: seatrial --version printed {said!r}")
    for command in commands():
        run([*program, *command.split()[1:]], cwd=project, env=env)
    if not (project / "seatrial.toml").is_file():
        raise DistError(f"{way}: the tutorial's commands did not create seatrial.toml")
    say(f"{way}: works ({', '.join(['seatrial --version', *commands()])})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
