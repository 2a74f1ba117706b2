"""Run the `foundry` command line. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from foundry import artifacts, builder, daemon, keys, lock, machine, marker, plan, process
from foundry.engine import Engine
from foundry.errors import FoundryError, UsageError
from foundry.plan import Status
from foundry.progress import size
from foundry.provide import Provider
from foundry.registries import Registries
from foundry.store import remove

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 4, 130, 143
VALUES = Path(".foundry") / "values-images.yaml"
VARIABLES = Path(".foundry") / "images.env"

EXAMPLES = """\
examples:
  foundry up                    provide everything that `make setup` needs
  foundry status                show which artifacts are ready, and their origin
  foundry build postgresql      build one image from its recipe, without asking registries
  foundry path kubectl          print the path of a tool or a files artifact
  eval "$(foundry env)"         add kind, helm and kubectl to this shell's PATH
  FOUNDRY_REGISTRY=registry.example.org/ci foundry up
                                ask this registry first, for upstream images and for images that
                                `foundry push registry.example.org/ci` has pushed

environment:
  FOUNDRY_CACHE                 the cache folder (default: ~/.cache/foundry)
  FOUNDRY_REGISTRY              a private registry (host/prefix) to ask first
  FOUNDRY_DEBIAN_MIRROR         the mirror for builds (default: apt's own; required on Ubuntu)
"""


class _Terminated(BaseException):
    """Raised in the main thread on SIGTERM."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status."""
    signal.signal(signal.SIGTERM, _terminate)
    machine.add_loopback_to_no_proxy()
    try:
        status = run(sys.argv[1:] if argv is None else argv)
    except FoundryError as error:
        say("\n".join(error.lines()))
        status = USAGE if isinstance(error, UsageError) else FAILED
    except (KeyboardInterrupt, _Terminated) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.stop_all()
        say("foundry: interrupted; finished artifacts are kept, unfinished ones removed")
        # sys.exit would wait for threads that wait for the network.
        os._exit(INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED)
    except BrokenPipeError:
        status = FAILED
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated


def say(text: str) -> None:
    """Print a line for the user on standard error."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    top = argparse.ArgumentParser(
        prog="foundry",
        description=sys.modules["foundry"].__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--artifacts",
        type=Path,
        metavar="FILE",
        help="artifact list (default: foundry/artifacts.toml in this folder or a parent)",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    up = add("up", "provide all artifacts of the setup: present, else pulled or downloaded, else built")
    up.add_argument("names", nargs="*", metavar="NAME", help="artifacts to provide (default: all of the setup)")
    up.add_argument("--refresh", action="store_true", help="ask registries again for built artifacts and stand-ins")
    status = add("status", "show which artifacts are ready and their origin; exit 1 if one of `up` is missing")
    status.add_argument("--json", action="store_true", help="print JSON, one object per artifact")
    build = add("build", "build artifacts from their recipes, with missing inputs (default: all of `up`)")
    build.add_argument("names", nargs="*", metavar="NAME")
    build.add_argument("--force", action="store_true", help="rebuild artifacts that are up to date")
    clean = add("clean", "remove artifacts; without names, all images, the store and the caches")
    clean.add_argument("names", nargs="*", metavar="NAME")
    push = add("push", "push the images built here to a private registry, where FOUNDRY_REGISTRY finds them")
    push.add_argument("registry", metavar="HOST[/PREFIX]")
    push.add_argument("names", nargs="*", metavar="NAME")
    add("env", "print shell commands that add the tools to PATH")
    add("path", "print the path of a tool or a files artifact").add_argument("name", metavar="NAME")
    return top


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as stop:
        return USAGE if stop.code else 0
    cache = machine.Cache.from_environment()
    if options.command == "env":
        print(f'export PATH={shlex.quote(str(cache.bin))}:"$PATH"')
        return 0
    provider = _provider(options.artifacts, cache)
    command = {"up": _up, "status": _status, "build": _build, "clean": _clean, "push": _push, "path": _path}
    return command[options.command](provider, options)


def _provider(path: Path | None, cache: machine.Cache) -> Provider:
    catalog = artifacts.load(path.absolute() if path else artifacts.find(Path.cwd()))
    arch = machine.architecture()
    ca_digest = machine.ca_digest(machine.ca_files())
    engine = Engine.from_environment()
    return Provider(
        catalog=catalog,
        keys=keys.keys(catalog, arch=arch, ca_digest=ca_digest),
        cache=cache,
        engine=engine,
        arch=arch,
        registries=Registries(engine, arch, say),
        say=say,
    )


def _setup(provider: Provider) -> list[str]:
    return [a.name for a in provider.catalog.artifacts.values() if a.setup]


def _up(provider: Provider, options: argparse.Namespace) -> int:
    marker.claim(provider.cache.root)
    daemon.ensure(provider.engine, provider.cache, say)
    statuses = provider.statuses()
    names = options.names or _setup(provider)
    for name in names:
        provider.catalog[name]
    if options.refresh or not all(statuses[name].ready for name in names):
        with _locked_cache(provider):
            statuses = provider.up(names, refresh=options.refresh)
    _write_images(provider, statuses)
    for status in (statuses[name] for name in names):
        if status.stood_in_by:
            say(f"{status.artifact.name}: not available here, using stand-in {status.stood_in_by}")
    if options.names:
        say(f"foundry: ready: {', '.join(names)}")
    else:
        say(f"foundry: all {len(names)} artifacts are ready (images {_total_size(statuses)})")
    return 0


@contextlib.contextmanager
def _locked_cache(provider: Provider) -> Iterator[None]:
    """Hold the cache lock for a build; remove leftovers of killed builds before it, and its own if interrupted."""

    def tidy() -> None:
        builder.empty_work(provider.cache)
        provider.engine.remove_scratch(provider.cache.root)

    with lock.exclusive(provider.cache.root, say):
        tidy()
        try:
            yield
        except (KeyboardInterrupt, _Terminated):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            process.stop_all()
            tidy()
            raise


def _total_size(statuses: dict[str, Status]) -> str:
    return size(sum(s.size for s in statuses.values() if s.ready))


def _write_images(provider: Provider, statuses: dict[str, Status]) -> None:
    """Write the image names for charts (values) and for Docker Compose (variables)."""
    head = "# Written by `foundry up`: the images of this machine. Not for version control.\n"
    variables = plan.variables(provider.catalog, statuses)
    for path, text in (
        (VALUES, yaml(plan.values(provider.catalog, statuses))),
        (VARIABLES, "".join(f"{name}={value}\n" for name, value in variables.items())),
    ):
        target = provider.catalog.root / path
        if not target.is_file() or target.read_text() != head + text:
            target.parent.mkdir(exist_ok=True)
            temporary = target.with_suffix(".new")
            temporary.write_text(head + text)
            temporary.replace(target)


def yaml(tree: dict[str, Any], indent: int = 0) -> str:
    """Format a tree of mappings, strings and booleans as YAML, with every string quoted."""
    text = ""
    for key, value in tree.items():
        if isinstance(value, dict):
            text += f"{' ' * indent}{key}:\n{yaml(value, indent + 2)}"
        else:
            text += f"{' ' * indent}{key}: {json.dumps(value)}\n"
    return text


def _status(provider: Provider, options: argparse.Namespace) -> int:
    version = provider.engine.version()
    statuses = provider.statuses() if version else {}
    if options.json:
        print(json.dumps([_status_json(provider, status) for status in statuses.values()], indent=1))
    else:
        print(f"engine    {version or 'not running: run foundry up'}")
        print(f"cache     {provider.cache.root}")
        width = max(len(name) for name in provider.catalog.artifacts)
        for name, status in statuses.items():
            needed = status.artifact.setup or status.ready or status.origin == "stale"
            unneeded = "closed network only" if status.artifact.closed_network_only else "not needed"
            state = "ready" if status.ready else status.origin or ("missing" if needed else unneeded)
            row = f"{name:{width}}  {status.artifact.version:8}  {state:19}"
            weight = size(status.size) if status.size else ""
            print(f"{row}  {weight:>8}  {status.origin if status.ready else ''}".rstrip())
    return 0 if version and all(statuses[name].ready for name in _setup(provider)) else FAILED


def _status_json(provider: Provider, status: Status) -> dict[str, object]:
    artifact = status.artifact
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "version": artifact.version,
        "ref": artifact.ref if artifact.kind == "image" else "",
        "key": provider.keys[artifact.name],
        "ready": status.ready,
        "origin": status.origin,
        "stood_in_by": status.stood_in_by,
        "where": status.where,
        "size": status.size,
        "labels": artifact.options.get("labels", {}),
    }


def _build(provider: Provider, options: argparse.Namespace) -> int:
    names = options.names or [n for n in _setup(provider) if provider.catalog[n].recipe]
    for name in names:
        if not provider.catalog[name].recipe:
            raise UsageError(f"{name} has no recipe", f"only {provider.catalog[name].upstream} provides it")
    marker.claim(provider.cache.root)
    daemon.ensure(provider.engine, provider.cache, say)
    with _locked_cache(provider):
        if not provider.build(names, force=options.force):
            say("foundry: up to date; pass --force to rebuild")
    return 0


def _clean(provider: Provider, options: argparse.Namespace) -> int:
    names = options.names or list(provider.catalog.artifacts)
    for name in names:
        provider.catalog[name]
    with lock.exclusive(provider.cache.root, say):
        for gone in provider.remove(names) if provider.engine.version() else []:
            say(f"removed {gone}")
        if not options.names:
            for folder in marker.owned(provider.cache.root):
                remove(folder)
                say(f"removed {folder}")
    return 0


def _push(provider: Provider, options: argparse.Namespace) -> int:
    images = [n for n in _setup(provider) if provider.catalog[n].kind == "image" and provider.catalog[n].recipe]
    for ref in provider.push(options.registry, options.names or images):
        print(ref)
    return 0


def _path(provider: Provider, options: argparse.Namespace) -> int:
    artifact = provider.catalog[options.name]
    if artifact.kind == "image":
        raise UsageError(f"{artifact.name} is an image, which has no path", f"its name on the engine is {artifact.ref}")
    status = provider.local_status(artifact)
    if not status.ready:
        raise FoundryError(f"{artifact.name} is missing", "", f"run: foundry up, or foundry build {artifact.name}")
    print(status.where)
    return 0
