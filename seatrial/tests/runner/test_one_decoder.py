"""One decoder reads what comes from pods: every other place that decodes anything is listed with what it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import seatrial

SOURCE = Path(seatrial.__file__).parent

IN_THE_POD = ("pod/agent/", "pod/clients/", "pod/fixtures/")

DECODERS = {
    "json.loads", "json.load", "msgspec.json.decode", "msgspec.json.Decoder", "msgspec.convert", "tarfile.open",
    "pickle.loads", "yaml.load", "yaml.load_all", "yaml.safe_load", "ET.parse", "shutil.copytree", "shutil.copyfile",
    "shutil.unpack_archive",
}  # fmt: skip

READS = {
    "runner/decoder.py": "what pods send as JSON: the decoder",
    "runner/facts_decoder.py": "facts of the agent as JSON, typed and bounded like the decoder's",
    "runner/archive.py": "the archive from a pod: the decoder",
    "runner/sync.py": "writes the archive for the pod",
    "runner/coverage.py": "coverage.xml from the archive, by expat with its limits",
    "image_inputs/dockerfile.py": "the JSON form of instructions in the project's Dockerfile",
    "runner/renderer/feed.py": "the tool's own words to the renderer",
    "runner/replay.py": "two words of settings, and the verdict, of a past run",
    "runner/renderer/__main__.py": "the tool's own settings for the renderer",
}
"""Below `image_inputs`, `pod` and `runner`.

What the rest of the tool decodes comes from the API server, the engine, Helm and its own files."""


def decoded(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in DECODERS:
            yield ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module in ("json", "tarfile", "pickle", "msgspec.json"):
            yield from (alias.name for alias in node.names if not alias.name.startswith("JSON"))


def files(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((SOURCE / folder).rglob("*.py")):
            name = path.relative_to(SOURCE).as_posix()
            if not name.startswith(IN_THE_POD):
                yield name, path


def test_only_listed_modules_decode_data() -> None:
    found = {name: sorted(set(decoded(path))) for name, path in files("image_inputs", "pod", "runner")}

    assert {name: calls for name, calls in found.items() if calls and name not in READS} == {}
    assert not [name for name in READS if not found[name]], "listed, and decodes nothing"


def test_modules_that_run_commands_in_a_pod_do_not_decode() -> None:
    """Stages and commands do not decode data of a pod themselves."""
    for name, path in files("stages", "cli"):
        text = path.read_text()
        if ".exec(" in text:
            assert not list(decoded(path)), name
