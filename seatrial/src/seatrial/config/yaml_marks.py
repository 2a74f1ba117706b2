"""Read YAML with the line of each value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["Marked", "read"]


@dataclass(frozen=True)
class Marked:
    """A node of a YAML document.

    Attributes:
        node: node of PyYAML; None for an empty document.
        value: its value.
    """

    node: yaml.Node | None
    value: Any

    @property
    def line(self) -> int:
        """Line number, from 1."""
        return self.node.start_mark.line + 1 if self.node else 1

    def get(self, key: str) -> Any:
        """Return the value at a key; None if the key is missing or this is not a mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def inside(self, key: str) -> Marked | None:
        """Return the node at a key, if there is one."""
        if not isinstance(self.node, yaml.MappingNode):
            return None
        for name, node in self.node.value:
            if name.value == key:
                return Marked(node, _meaning(node))
        return None

    def line_of(self, key: str) -> int:
        """Return the line of the value at a key; without the key, the line of this node."""
        return (self.inside(key) or self).line

    def source_of(self, key: str) -> str:
        """Return the text of the scalar at a key."""
        found = self.inside(key)
        return str(found.node.value) if found and isinstance(found.node, yaml.ScalarNode) else ""

    def elements(self) -> Iterator[Marked]:
        """Yield the elements of a sequence."""
        if isinstance(self.node, yaml.SequenceNode):
            for node in self.node.value:
                yield Marked(node, _meaning(node))

    def walk(self) -> Iterator[Marked]:
        """Yield this node and all nodes below it."""
        yield self
        if isinstance(self.node, yaml.MappingNode):
            for _, node in self.node.value:
                yield from Marked(node, _meaning(node)).walk()
        for element in self.elements():
            yield from element.walk()


def read(text: str) -> Marked:
    """Return the first document of a YAML text.

    Raises:
        yaml.YAMLError: the text is not valid YAML.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return Marked(node, _meaning(node) if node else None)


def _meaning(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()
