"""What foundry must remember because nothing else tells it: where a tool was found, which image was pulled as what."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tool:
    """A program that was found or made to be the right one, or a file that was downloaded."""

    key: str
    target: str
    origin: str  # "PATH", "release" or "recipe"
    version: str
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, key: str, target: Path, origin: str, version: str) -> Tool:
        """The program as it is now."""
        stat = target.stat()
        return cls(key, str(target), origin, version, stat.st_mtime_ns, stat.st_size)

    def unchanged(self, key: str) -> bool:
        """Whether the program is still the one that was looked at, and still the one wanted."""
        try:
            stat = os.stat(self.target)  # noqa: PTH116 - called for every tool at every start
        except OSError:
            return False
        return (self.key, self.mtime_ns, self.size) == (key, stat.st_mtime_ns, stat.st_size)


@dataclass(frozen=True)
class PulledImage:
    """An image that came from a registry: its labels are its maker's, so that they cannot tell."""

    id: str
    wanted: str  # what the artefact list asked for
    source: str  # what was pulled, with digest


@dataclass
class State:
    """The remembered facts, in one small file. Losing it costs a look at PATH and a pull of what is there already."""

    path: Path
    tools: dict[str, Tool] = field(default_factory=dict)
    pulled: dict[str, PulledImage] = field(default_factory=dict)  # by image reference
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path) -> State:
        """The state, empty when there is none or none that can be read."""
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
        """Write it, whole or not at all."""
        with self._lock:
            document = {
                "tools": {name: asdict(tool) for name, tool in self.tools.items()},
                "pulled": {ref: asdict(image) for ref, image in self.pulled.items()},
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(document, indent=1))
            temporary.replace(self.path)
