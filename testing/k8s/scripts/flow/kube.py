"""kubectl against the run's own cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.commands import Commands

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kube:
    """The cluster that `kubeconfig` leads to."""

    commands: Commands
    kubeconfig: Path

    def argv(self, *arguments: str, namespace: str | None = None) -> list[str]:
        """Return a kubectl command line."""
        where = ["--namespace", namespace] if namespace else []
        return ["kubectl", f"--kubeconfig={self.kubeconfig}", *where, *arguments]

    def run(
        self, *arguments: str, namespace: str | None = None, seconds: float = 30, stdin: bytes | None = None
    ) -> str:
        """Run kubectl and return what it printed."""
        return self.commands.run(self.argv(*arguments, namespace=namespace), seconds=seconds, stdin=stdin)

    def get(self, kinds: Sequence[str], *, namespace: str) -> list[Object]:
        """Return all objects of these kinds."""
        found = json.loads(self.run("get", ",".join(kinds), "--output=json", namespace=namespace))
        items: list[Object] = found["items"]
        return items

    def read(self, manifest: Path) -> list[Object]:
        """Return the objects of a YAML file; the cluster is not changed."""
        text = self.run("create", "--dry-run=client", "--output=json", "--filename", str(manifest), namespace="default")
        # Without a list around them: one JSON text after the other.
        decoder, position = json.JSONDecoder(), 0
        objects: list[Object] = []
        while position < len(text):
            value, position = decoder.raw_decode(text, position)
            objects += value["items"] if value["kind"] == "List" else [value]
            position += len(text[position:]) - len(text[position:].lstrip())
        for item in objects:
            item["metadata"].pop("namespace", None)
        return objects

    def apply(self, objects: Sequence[Object], *, namespace: str) -> None:
        """Create or change objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.run("apply", "--filename=-", namespace=namespace, stdin=json.dumps(listed).encode())
