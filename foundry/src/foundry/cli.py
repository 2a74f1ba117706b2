"""The command line: results on standard output, everything else on standard error, one place that exits."""

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

from foundry import artefacts, builder, daemon, keys, lock, machine, marker, plan, process
from foundry.engine import Engine
from foundry.errors import FoundryError, UsageError
from foundry.plan import Status
from foundry.progress import size
from foundry.provide import Provider
from foundry.registries import Registries
from foundry.store import remove

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 4, 130, 143
VALUES = Path(".foundry") / "values-images.yaml"

EXAMPLES = """\
examples:
  foundry up                    provide everything that the project's `make setup` needs
  foundry status                what is there, and where it came from
  foundry build postgresql      build one image by its recipe, whatever registries offer
  foundry path kubectl          where a tool or a folder of files is
  eval "$(foundry env)"         put kind, helm and kubectl on this shell's PATH
  FOUNDRY_REGISTRY=registry.example.org/ci foundry up
                                ask that registry first, for upstream's images and for those that
                                `foundry push registry.example.org/ci` has put there

environment:
  FOUNDRY_CACHE                 instead of ~/.cache/foundry
  FOUNDRY_REGISTRY              a private registry (host/prefix) to ask first
  FOUNDRY_DEBIAN_MIRROR         the mirror that builds use, instead of apt's own (needed on Ubuntu)
"""


class _Terminated(BaseException):
    """SIGTERM."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status."""
    signal.signal(signal.SIGTERM, _terminate)
    machine.exempt_loopback()
    try:
        status = run(sys.argv[1:] if argv is None else argv)
    except FoundryError as error:
        say("\n".join(error.lines()))
        status = USAGE if isinstance(error, UsageError) else FAILED
    except (KeyboardInterrupt, _Terminated) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.stop_all()
        say("foundry: interrupted; what was finished stays, what was not leaves nothing")
        # Not sys.exit: it would wait for threads that wait for the network.
        os._exit(INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED)
    except BrokenPipeError:
        status = FAILED
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated


def say(text: str) -> None:
    """A line for the person who watches."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="foundry",
        description=sys.modules["foundry"].__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--artefacts",
        type=Path,
        metavar="FILE",
        help="the artefact list (default: foundry/artefacts.toml here or above)",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, what: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=what, description=what)

    up = add("up", "provide everything that setup needs: present, else pulled or downloaded, else built")
    up.add_argument("names", nargs="*", metavar="NAME", help="these artefacts (default: all that setup needs)")
    up.add_argument("--refresh", action="store_true", help="ask registries again for what was built or stood in for")
    status = add("status", "say what is there and where it came from; exit 1 when something of `up` is missing")
    status.add_argument("--json", action="store_true", help="as JSON, one object an artefact")
    build = add("build", "build artefacts by their recipes, with the inputs they lack (default: all of `up`)")
    build.add_argument("names", nargs="*", metavar="NAME")
    build.add_argument("--force", action="store_true", help="even when they are up to date")
    clean = add("clean", "remove artefacts; without names all images, the store and the caches")
    clean.add_argument("names", nargs="*", metavar="NAME")
    push = add("push", "push the images built here to a private registry, where FOUNDRY_REGISTRY finds them")
    push.add_argument("registry", metavar="HOST[/PREFIX]")
    push.add_argument("names", nargs="*", metavar="NAME")
    add("env", "print shell commands that put the tools on PATH")
    add("path", "print where a tool or a folder of files is").add_argument("name", metavar="NAME")
    return top


def run(argv: Sequence[str]) -> int:
    """Run a command line and return its exit status."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as stop:
        return USAGE if stop.code else 0
    cache = machine.Cache.from_environment()
    if options.command == "env":
        print(f'export PATH={shlex.quote(str(cache.bin))}:"$PATH"')
        return 0
    provider = _provider(options.artefacts, cache)
    command = {"up": _up, "status": _status, "build": _build, "clean": _clean, "push": _push, "path": _path}
    return command[options.command](provider, options)


def _provider(path: Path | None, cache: machine.Cache) -> Provider:
    catalogue = artefacts.load(path.absolute() if path else artefacts.find(Path.cwd()))
    arch = machine.architecture()
    ca_digest = machine.ca_digest(machine.ca_files())
    engine = Engine.from_environment()
    return Provider(
        catalogue=catalogue,
        keys=keys.keys(catalogue, arch=arch, ca_digest=ca_digest),
        cache=cache,
        engine=engine,
        arch=arch,
        registries=Registries(engine, arch, say),
        say=say,
    )


def _setup(provider: Provider) -> list[str]:
    return [a.name for a in provider.catalogue.artefacts.values() if a.setup]


def _up(provider: Provider, options: argparse.Namespace) -> int:
    marker.claim(provider.cache.root)
    daemon.ensure(provider.engine, provider.cache, say)
    statuses = provider.statuses()
    names = options.names or _setup(provider)
    for name in names:
        provider.catalogue[name]
    if options.refresh or not all(statuses[name].ready for name in names):
        with _work(provider):
            statuses = provider.up(names, refresh=options.refresh)
    _write_values(provider, statuses)
    for status in (statuses[name] for name in names):
        if status.stood_in_by:
            say(f"{status.artefact.name}: not available here, {status.stood_in_by} stands in for it")
    if options.names:
        say(f"foundry: ready: {', '.join(names)}")
    else:
        say(f"foundry: everything is there ({len(names)} artefacts, images {_total(statuses)})")
    return 0


@contextlib.contextmanager
def _work(provider: Provider) -> Iterator[None]:
    """Hold the cache for a build, free of what killed builds left; leave nothing behind when interrupted."""

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


def _total(statuses: dict[str, Status]) -> str:
    return size(sum(s.size for s in statuses.values() if s.ready))


def _write_values(provider: Provider, statuses: dict[str, Status]) -> None:
    target = provider.catalogue.root / VALUES
    text = "# Written by `foundry up`: the images of this machine. Not for version control.\n"
    text += yaml(plan.values(provider.catalogue, statuses))
    if not target.is_file() or target.read_text() != text:
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(target)


def yaml(tree: dict[str, Any], indent: int = 0) -> str:
    """A tree of mappings, texts and truth values as YAML, every text quoted."""
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
        print(json.dumps([_fact(provider, status) for status in statuses.values()], indent=1))
    else:
        print(f"engine    {version or 'none answers: foundry up starts or explains'}")
        print(f"cache     {provider.cache.root}")
        width = max(len(name) for name in provider.catalogue.artefacts)
        for name, status in statuses.items():
            needed = status.artefact.setup or status.ready or status.origin == "stale"
            unneeded = "closed network only" if status.artefact.closed_network_only else "not needed"
            state = "ready" if status.ready else status.origin or ("missing" if needed else unneeded)
            told = f"{name:{width}}  {status.artefact.version:8}  {state:19}"
            weight = size(status.size) if status.size else ""
            print(f"{told}  {weight:>8}  {status.origin if status.ready else ''}".rstrip())
    return 0 if version and all(statuses[name].ready for name in _setup(provider)) else FAILED


def _fact(provider: Provider, status: Status) -> dict[str, object]:
    artefact = status.artefact
    return {
        "name": artefact.name,
        "kind": artefact.kind,
        "version": artefact.version,
        "ref": artefact.ref if artefact.kind == "image" else "",
        "key": provider.keys[artefact.name],
        "ready": status.ready,
        "origin": status.origin,
        "stood_in_by": status.stood_in_by,
        "where": status.where,
        "size": status.size,
        "labels": artefact.options.get("labels", {}),
    }


def _build(provider: Provider, options: argparse.Namespace) -> int:
    names = options.names or [n for n in _setup(provider) if provider.catalogue[n].recipe]
    for name in names:
        if not provider.catalogue[name].recipe:
            raise UsageError(f"{name} has no recipe", f"only {provider.catalogue[name].upstream} provides it")
    marker.claim(provider.cache.root)
    daemon.ensure(provider.engine, provider.cache, say)
    with _work(provider):
        if not provider.make(names, force=options.force):
            say("foundry: built already; --force builds it again")
    return 0


def _clean(provider: Provider, options: argparse.Namespace) -> int:
    names = options.names or list(provider.catalogue.artefacts)
    for name in names:
        provider.catalogue[name]
    with lock.exclusive(provider.cache.root, say):
        for gone in provider.remove(names) if provider.engine.version() else []:
            say(f"removed {gone}")
        if not options.names:
            for folder in marker.owned(provider.cache.root):
                remove(folder)
                say(f"removed {folder}")
    return 0


def _push(provider: Provider, options: argparse.Namespace) -> int:
    images = [n for n in _setup(provider) if provider.catalogue[n].kind == "image" and provider.catalogue[n].recipe]
    for ref in provider.push(options.registry, options.names or images):
        print(ref)
    return 0


def _path(provider: Provider, options: argparse.Namespace) -> int:
    artefact = provider.catalogue[options.name]
    if artefact.kind == "image":
        raise UsageError(f"{artefact.name} is an image and has no path", f"its name on the engine is {artefact.ref}")
    status = provider.local_status(artefact)
    if not status.ready:
        raise FoundryError(f"{artefact.name} is not there", "", f"run: foundry up, or foundry build {artefact.name}")
    print(status.where)
    return 0
