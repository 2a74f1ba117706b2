"""Build Go programs from the module proxy, with every module verified by the checksum database."""

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
"""Omit debug symbols: linking drops them anyway, and they take most of the build cache."""


class UseCount:
    """Count the concurrent users of a resource."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1

    def run_if_unused(self, act: Callable[[], None]) -> None:
        """Call `act` if the count is zero; new users wait until it returns."""
        with self._lock:
            if not self._count:
                act()


@dataclass(frozen=True)
class Go:
    """A Go toolchain with the cache's shared module and build caches."""

    cache: Cache
    program: str = "go"
    # Parallel compilers on a small machine are slower than sequential ones, and need twice the memory.
    _compiling: threading.Lock = field(default_factory=threading.Lock, compare=False)
    _using: UseCount = field(default_factory=UseCount, compare=False)

    def environment(self, *, cgo: bool = False) -> dict[str, str]:
        """Return the variables that determine a build. GOPROXY, GOSUMDB and others stay as the machine sets them."""
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
        """Build `packages` (import path -> version) in a new module in `work`; write the programs to `out`."""
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
            self._using.run_if_unused(self.cache.limit_build_cache)

    def module(self, module: str, version: str, *, run: Run) -> Path:
        """Download and verify one module without its dependencies. Return its folder in the module cache."""
        with self._using:
            told = run(
                [self.program, "mod", "download", "-json", f"{module}@{version}"],
                env={**self.environment(), "GOFLAGS": ""},
            )
        return Path(json.loads(told)["Dir"])


def go_mod(replace: Mapping[str, str]) -> str:
    """Return the go.mod of a build with its replacements. `go get -tool` adds the rest."""
    lines = ["module foundry.invalid/build", "", f"go {GO_DIRECTIVE}", ""]
    if replace:
        lines += ["replace (", *(f"\t{old} => {new}" for old, new in replace.items()), ")"]
    return "\n".join(lines) + "\n"
