"""Save facts between runs: the origin of each tool, and the source of each pulled image."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tool:
    """A tool or downloaded file that was verified before."""

    key: str
    target: str
    origin: str  # "PATH", "release" or "recipe"
    version: str
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, key: str, target: Path, origin: str, version: str) -> Tool:
        """Record the file as it is now."""
        stat = target.stat()
        return cls(key, str(target), origin, version, stat.st_mtime_ns, stat.st_size)

    def unchanged(self, key: str) -> bool:
        """Return whether the file is unchanged and still belongs to the current key."""
        try:
            stat = os.stat(self.target)  # noqa: PTH116 - called for every tool at every start
        except OSError:
            return False
        return (self.key, self.mtime_ns, self.size) == (key, stat.st_mtime_ns, stat.st_size)


@dataclass(frozen=True)
class PulledImage:
    """An image from a registry. Its labels are upstream's and do not show its source."""

    id: str
    wanted: str  # the reference in the artifact list at that time
    source: str  # the pulled reference, with digest


@dataclass
class State:
    """The saved state in one small file. If it is lost, foundry searches PATH and pulls again."""

    path: Path
    tools: dict[str, Tool] = field(default_factory=dict)
    pulled: dict[str, PulledImage] = field(default_factory=dict)  # by image reference
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> State:
        """Load the state; empty if the file is missing or unreadable."""
        try:
            document: dict[str, Any] = json.loads(path.read_text())
            return cls(
                path,
                {name: Tool(**facts) for name, facts in document["tools"].items()},
                {ref: PulledImage(**facts) for ref, facts in document["pulled"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path)

    def save(self) -> None:
        """Write the file atomically."""
        with self._lock:
            document = {
                "tools": {name: asdict(tool) for name, tool in self.tools.items()},
                "pulled": {ref: asdict(image) for ref, image in self.pulled.items()},
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(document, indent=1))
            temporary.replace(self.path)
