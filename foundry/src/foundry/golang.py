"""Go builds from the module proxy alone: no checkout, every module verified by the checksum database."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foundry.machine import Cache
from foundry.process import Run

GO_DIRECTIVE = "1.25.0"
GCFLAGS = "all=-dwarf=false"
"""Symbols for debuggers, which linking drops here anyway, are most of a build cache and a part of the time."""


class Uses:
    """How many use something at this moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1

    def if_none(self, act: Callable[[], None]) -> None:
        """Call `act` if nobody does, and let nobody begin meanwhile."""
        with self._lock:
            if not self._count:
                act()


@dataclass(frozen=True)
class Go:
    """A Go tool chain with the foundry's shared caches."""

    cache: Cache
    program: str = "go"
    # Two compilers at once on a small machine are slower than one after the other, and need twice the memory.
    _compiling: threading.Lock = field(default_factory=threading.Lock, compare=False)
    _using: Uses = field(default_factory=Uses, compare=False)

    def environment(self, *, cgo: bool = False) -> dict[str, str]:
        """The variables that decide a build; GOPROXY, GOSUMDB and so on stay the machine's own."""
        return {
            "GOMODCACHE": str(self.cache.go_mod),
            "GOCACHE": str(self.cache.go_build),
            "GOFLAGS": "-mod=mod",
            "GOWORK": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "1" if cgo else "0",
        }

    def build(
        self,
        work: Path,
        packages: Mapping[str, str],
        out: Path,
        *,
        run: Run,
        ldflags: str,
        tags: Sequence[str],
        cgo: bool,
        replace: Mapping[str, str],
        require: Mapping[str, str],
    ) -> None:
        """Build `packages` (import path -> version) in a module of their own made in `work`; programs go to `out`."""
        work.mkdir(parents=True, exist_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        (work / "go.mod").write_text(go_mod(replace))
        env = self.environment(cgo=cgo)
        wanted = [f"{path}@{version}" for path, version in {**require, **packages}.items()]
        with self._using:
            run([self.program, "get", "-tool", *wanted], cwd=work, env=env)
        options = ["-trimpath", "-gcflags", GCFLAGS, "-ldflags", ldflags]
        argv = [self.program, "build", *options, *(["-tags", ",".join(tags)] if tags else [])]
        with self._compiling:
            with self._using:
                run([*argv, "-o", f"{out}/", *packages], cwd=work, env=env)
            self._using.if_none(self.cache.bound_compiled)

    def module(self, module: str, version: str, *, run: Run) -> Path:
        """Download one module, verified, without its dependencies; returns its folder in the module cache."""
        with self._using:
            told = run(
                [self.program, "mod", "download", "-json", f"{module}@{version}"],
                env={**self.environment(), "GOFLAGS": ""},
            )
        return Path(json.loads(told)["Dir"])


def go_mod(replace: Mapping[str, str]) -> str:
    """The main module of a build: nothing but the replacements; `go get -tool` adds the rest."""
    lines = ["module foundry.invalid/build", "", f"go {GO_DIRECTIVE}", ""]
    if replace:
        lines += ["replace (", *(f"\t{old} => {new}" for old, new in replace.items()), ")"]
    return "\n".join(lines) + "\n"
