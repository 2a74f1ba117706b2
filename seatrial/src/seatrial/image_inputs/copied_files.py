"""Analyze which files of a build context a Dockerfile can copy, and which of them can be sent to a pod instead. Pure.

The first answer decides when an image is rebuilt, so an unknown instruction makes all files inputs. The second decides
whether a changed file can be sent without a build, so an unknown instruction forbids it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from seatrial.image_inputs.context_use import WHOLE_CONTEXT, Analysis, Base, BaseImage, Doubt, Read, Source, Write
from seatrial.image_inputs.dockerfile import Dockerfile, Instruction, expand, parse
from seatrial.image_inputs.dockerignore import BadPattern, translate
from seatrial.image_inputs.run_steps import step

__all__ = ["analyze"]

_SHORT: Final = 50
_KNOWN_FLAGS: Final = {
    "COPY": frozenset({"chown", "link", "from", "chmod"}),
    "ADD": frozenset({"chown", "link", "chmod", "checksum", "keep-git-dir"}),
}
_WITHOUT_FILES: Final = frozenset(
    {"LABEL", "EXPOSE", "CMD", "ENTRYPOINT", "USER", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER"}
)
_REMOTE: Final = re.compile(r"(https?|ftp|git|ssh)://|git@|<<")


@dataclass(slots=True)
class _Stage:
    """One stage of the Dockerfile."""

    index: int
    names: tuple[str, ...]
    parent: int | None
    instructions: list[tuple[Instruction, dict[str, str | None], str | None]] = field(default_factory=list)
    environment: dict[str, str | None] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    needs: set[int] = field(default_factory=set)
    workdir: str | None = None


def analyze(
    text: str,
    *,
    target: str | None = None,
    args: Mapping[str, str] | None = None,
    bases: Mapping[str, BaseImage] | None = None,
) -> Analysis:
    """Return the use of the build context by a Dockerfile.

    Args:
        text: the Dockerfile.
        target: the stage to build; None: the last one.
        args: build arguments, which replace defaults.
        bases: the known base images, by reference.
    """
    return _Analyzer(parse(text), args or {}, bases or {}).result(target)


class _Analyzer:
    """Reads all stages for their dependencies, then the instructions of the stages that the image consists of."""

    def __init__(self, dockerfile: Dockerfile, args: Mapping[str, str], known: Mapping[str, BaseImage]) -> None:
        self.dockerfile = dockerfile
        self.args = args
        self.known = known
        self.stages: list[_Stage] = []
        self.references: dict[int, list[Base]] = {}
        self.everything: Doubt | None = None
        self.reads: list[Read] = []
        self.writes: list[Write] = []

    def result(self, target: str | None) -> Analysis:
        """Return the analysis."""
        syntax = self.dockerfile.syntax
        if syntax and not re.match(r"(docker\.io/)?docker/dockerfile(:|@|$)", syntax):
            self.depend_on_all(1, f"the frontend {syntax} is unknown")
        self.read_stages()
        if not self.stages:
            self.depend_on_all(0, "the Dockerfile has no FROM")
            return Analysis(everything=self.everything)
        final = self.find(target) if target else self.stages[-1]
        if final is None:
            # The build fails with a message of the builder.
            final = self.stages[-1]
        reachable = self.reachable(final.index)
        chain: list[_Stage] = []
        link: int | None = final.index
        while link is not None:
            chain.insert(0, self.stages[link])
            link = self.stages[link].parent
        # Files of such a stage are in the image twice if another instruction copies them from it.
        sources = {need for index in reachable for need in self.stages[index].needs}
        copied_from = set().union(*(self.ancestors(index) for index in sources)) if sources else set()
        order = 0
        for stage in self.stages:
            if stage.index in reachable and (stage not in chain or stage.index in copied_from):
                self.read_other_stage(stage)
        for stage in chain:
            shell = True
            for instruction, values, workdir in stage.instructions:
                order += 1
                if instruction.name == "SHELL":
                    shell = False
                self.process(order, instruction, values, workdir, shell=shell)
        bases = dict.fromkeys(base for index in sorted(reachable) for base in self.references.get(index, ()))
        unique = {base.reference: base for base in reversed(bases)}
        for base in unique.values():
            if base.reference in self.known and self.known[base.reference].triggers:
                self.depend_on_all(base.line, f"{base.reference} has ONBUILD instructions")
        return Analysis(
            bases=tuple(base for base in bases if unique[base.reference] is base),
            reads=tuple(self.reads),
            writes=tuple(self.writes),
            everything=self.everything,
            workdir=final.workdir,
        )

    # The stages.

    def read_stages(self) -> None:
        values: dict[str, str | None] = {}
        for instruction in self.dockerfile.instructions:
            if instruction.name == "FROM":
                self.start_stage(instruction, values)
            elif not self.stages:
                if instruction.name == "ARG":
                    self.declare(instruction, values, {}, frozenset())
                else:
                    self.depend_on_all(instruction.line, f"{instruction.name} before the first FROM")
            else:
                self.add(self.stages[-1], instruction, values)

    def start_stage(self, instruction: Instruction, values: Mapping[str, str | None]) -> None:
        words = instruction.text.split()
        # No base image has set variables yet: a missing variable is unset.
        reference = expand(words[0], values, self.dockerfile.escape, complete=True) if words else None
        names = [str(len(self.stages))]
        if [word.upper() for word in words[1:2]] == ["AS"]:
            names.append(words[-1].lower())
        if not reference:
            self.depend_on_all(instruction.line, f"the base image {words[0] if words else ''} is unknown")
        parent = self.find(reference) if reference and not reference.isdigit() else None
        stage = _Stage(len(self.stages), tuple(names), parent.index if parent else None)
        if parent:
            stage.fixed = set(parent.fixed)
            # Builders differ in whether a stage knows the arguments of the stage that it starts from.
            stage.environment = {name: parent.environment[name] for name in parent.fixed}
            stage.workdir = parent.workdir
        elif reference == "scratch":
            stage.workdir = "/"
        elif reference:
            self.references.setdefault(stage.index, []).append(Base(reference, instruction.line))
            if (base := self.known.get(reference)) is not None:
                stage.workdir = base.workdir or "/"
                stage.environment = dict(base.environment)
                stage.fixed = set(base.environment)
        self.stages.append(stage)

    def add(self, stage: _Stage, instruction: Instruction, globals_: Mapping[str, str | None]) -> None:
        """Add one instruction to a stage, with the values of the variables at that point."""
        values = stage.environment
        if instruction.name == "ARG":
            self.declare(instruction, values, globals_, stage.fixed)
        elif instruction.name == "ENV":
            stage.fixed |= self.set_variables(instruction, values)
        elif instruction.name == "WORKDIR":
            path = self.expanded(instruction.text, values)
            stage.workdir = _joined(stage.workdir, path)
        stage.instructions.append((instruction, dict(values), stage.workdir))
        for reference in self.taken_from(instruction, values):
            if reference is None:
                self.depend_on_all(instruction.line, "the source of its copy is unknown")
            elif (other := self.find(reference)) is not None:
                stage.needs.add(other.index)
            elif reference != "scratch":
                self.references.setdefault(stage.index, []).append(Base(reference, instruction.line))

    def taken_from(self, instruction: Instruction, values: Mapping[str, str | None]) -> Iterable[str | None]:
        """Return the stages and images that an instruction copies or mounts from."""
        if instruction.name == "COPY" and (origin := instruction.flag("from")) is not None:
            yield self.expanded(origin, values)
        for mount in _mounts(instruction):
            if "from" in mount:
                yield self.expanded(mount["from"], values)

    def declare(
        self,
        instruction: Instruction,
        values: dict[str, str | None],
        above: Mapping[str, str | None],
        fixed: Collection[str],
    ) -> None:
        """Process an ARG; a variable of ENV takes precedence."""
        for word in _assignments(instruction.text):
            name, given, default = word.partition("=")
            if name in fixed:
                continue
            value = self.expanded(default, values) if given else above.get(name)
            values[name] = self.args.get(name, value)

    def set_variables(self, instruction: Instruction, values: dict[str, str | None]) -> set[str]:
        """Process an ENV and return the names that it sets."""
        before = dict(values)
        words = _assignments(instruction.text)
        if words and "=" not in words[0]:
            name, _, rest = instruction.text.partition(" ")
            values[name] = self.expanded(rest.strip(), before)
            return {name}
        pairs = [word.partition("=") for word in words]
        for name, _, value in pairs:
            values[name] = self.expanded(value, before)
        return {name for name, _, _ in pairs}

    def find(self, name: str) -> _Stage | None:
        """Return the stage with a name, the last one of several."""
        return next((stage for stage in reversed(self.stages) if name.lower() in stage.names), None)

    def ancestors(self, index: int) -> set[int]:
        found: set[int] = set()
        link: int | None = index
        while link is not None:
            found.add(link)
            link = self.stages[link].parent
        return found

    def reachable(self, index: int) -> set[int]:
        found: set[int] = set()
        queue = [index]
        while queue:
            link = queue.pop()
            if link in found:
                continue
            found.add(link)
            stage = self.stages[link]
            queue += stage.needs
            if stage.parent is not None:
                queue.append(stage.parent)
        return found

    # Instructions.

    def read_other_stage(self, stage: _Stage) -> None:
        """Process a stage that is not part of the image: its files reach the image only through later instructions."""
        for instruction, values, _ in stage.instructions:
            if instruction.name in ("COPY", "ADD") and instruction.flag("from") is None:
                message = f"{instruction.name} in a stage that is not part of the image"
                doubt = Doubt(instruction.line, message, "copy edited files in the last stage")
                self.reads.append(
                    Read(order=-1, line=instruction.line, sources=self.sources(instruction, values)[0], doubt=doubt)
                )
            elif instruction.name == "RUN":
                self.mount(-1, instruction, values)
            elif instruction.name not in _WITHOUT_FILES | {"COPY", "ADD", "ARG", "ENV", "WORKDIR", "SHELL", "VOLUME"}:
                self.depend_on_all(instruction.line, f"{instruction.name} is not supported")

    def process(
        self,
        order: int,
        instruction: Instruction,
        values: Mapping[str, str | None],
        workdir: str | None,
        *,
        shell: bool,
    ) -> None:
        """Process one instruction of the stages that the image consists of."""
        name = instruction.name
        if name == "RUN":
            self.mount(order, instruction, values)
            self.run(order, instruction, workdir, shell=shell)
        elif name in ("COPY", "ADD"):
            self.copy(order, instruction, values, workdir)
        elif name == "VOLUME":
            for word in instruction.words:
                path = _joined(workdir, self.expanded(word, values)) or "/"
                self.writes.append(Write(order, instruction.line, path, f"VOLUME {word}", covers=True))
        elif name == "ONBUILD" or name not in _WITHOUT_FILES | {"ARG", "ENV", "WORKDIR", "SHELL"}:
            self.depend_on_all(instruction.line, f"{name} is not supported")

    def run(self, order: int, instruction: Instruction, workdir: str | None, *, shell: bool) -> None:
        """Process a RUN: its effect on files that were copied before it."""
        done = step(instruction, workdir, shell=shell)
        words = f"RUN {instruction.text}"
        short = words if len(words) <= _SHORT else f"{words[: _SHORT - 3]}..."
        for path in done.touches:
            self.writes.append(Write(order, instruction.line, path, f"{short} changes or reads {path}", covers=True))
        for index, read in enumerate(self.reads):
            if read.order < 0 or read.doubt:
                continue
            if done.kind == "any":
                what = " ".join(source.path for source in read.sources)
                doubt = Doubt(
                    instruction.line,
                    f"{short} may depend on it",
                    f"to have it sent, move COPY {what} below the last RUN",
                )
                self.reads[index] = replace(read, doubt=doubt)
            elif done.kind == "editable" and not read.editable:
                self.reads[index] = replace(read, editable=instruction.line)

    def mount(self, order: int, instruction: Instruction, values: Mapping[str, str | None]) -> None:
        """Process the mounts of a RUN."""
        for mount in _mounts(instruction):
            if mount.get("type", "bind") != "bind" or "from" in mount:
                continue
            source = mount.get("source", mount.get("src", WHOLE_CONTEXT))
            path = self.expanded(source, values)
            if path is None:
                self.depend_on_all(instruction.line, f"the source {source} of its mount is unknown")
                continue
            doubt = Doubt(instruction.line, "RUN --mount uses it")
            self.reads.append(Read(order=order, line=instruction.line, sources=(_source(path),), doubt=doubt))

    def copy(self, order: int, instruction: Instruction, values: Mapping[str, str | None], workdir: str | None) -> None:
        """Process a COPY or ADD."""
        sources, remote = self.sources(instruction, values)
        words = instruction.words
        target = self.expanded(words[-1], values) if words else None
        destination = _joined(workdir, target)
        line, name = instruction.line, instruction.name
        if instruction.flag("from") is not None or remote:
            message = f"{name} from outside the context to {words[-1]}"
            self.writes.append(Write(order, line, destination or "/", message, covers=destination is None))
        if not sources:
            return
        doubt = None
        unknown = [flag for flag in instruction.flags if flag[2:].partition("=")[0] not in _KNOWN_FLAGS[name]]
        if name == "ADD":
            doubt = Doubt(line, "ADD unpacks archives", "use COPY")
        elif unknown:
            doubt = Doubt(line, f"COPY {unknown[0]}", "use a plain COPY")
        elif instruction.flag("chmod") is not None:
            doubt = Doubt(line, "COPY --chmod changes the mode of its files", "set the mode in the working tree")
        elif destination is None:
            doubt = Doubt(line, f"the path of {words[-1]} in the image is unknown", "use an absolute WORKDIR")
        elif any(source.parts for source in sources):
            doubt = Doubt(line, "COPY with a wildcard", "copy the whole folder")
        self.reads.append(
            Read(
                order=order,
                line=line,
                sources=sources,
                destination=destination,
                owned=instruction.flag("chown") is not None,
                doubt=doubt,
            )
        )

    def sources(self, instruction: Instruction, values: Mapping[str, str | None]) -> tuple[tuple[Source, ...], bool]:
        """Return the sources of a COPY or ADD in the context, and whether it has other sources."""
        if instruction.flag("from") is not None:
            return (), False
        if instruction.flag("parents") is not None:
            self.depend_on_all(instruction.line, f"{instruction.name} --parents")
        found, remote = [], bool(instruction.heredocs)
        for word in instruction.words[:-1]:
            if _REMOTE.match(word):
                remote = True
                continue
            path = self.expanded(word, values)
            if path is None:
                self.depend_on_all(instruction.line, f"{word} has a variable with an unknown value")
                continue
            try:
                found.append(_source(path))
            except BadPattern:
                self.depend_on_all(instruction.line, f"{word} is not a valid pattern")
        return tuple(found), remote

    def expanded(self, text: str, values: Mapping[str, str | None]) -> str | None:
        return expand(text, values, self.dockerfile.escape)

    def depend_on_all(self, line: int, message: str) -> None:
        """Store the first reason why all files are inputs."""
        self.everything = self.everything or Doubt(line, message)


def _joined(workdir: str | None, path: str | None) -> str | None:
    """Return a normalized absolute path in the image; None if it is unknown."""
    if path is None or (workdir is None and not path.startswith("/")):
        return None
    return posixpath.normpath("/" + posixpath.join(workdir or "/", path).lstrip("/"))


def _source(path: str) -> Source:
    """Return a source, relative to the context, which it cannot leave."""
    plain = posixpath.normpath("/" + path).lstrip("/") or WHOLE_CONTEXT
    if not re.search(r"[*?\[\\]", plain):
        return Source(plain)
    return Source(plain, tuple(re.compile(translate(part), re.DOTALL) for part in plain.split("/")))


def _mounts(instruction: Instruction) -> list[dict[str, str]]:
    """Return the mounts of a RUN, each as key -> value."""
    found = []
    for flag in instruction.flags if instruction.name == "RUN" else ():
        name, _, value = flag[2:].partition("=")
        if name == "mount":
            pairs = (part.partition("=") for part in value.split(","))
            found.append({key.strip().lower(): given for key, _, given in pairs})
    return found


def _assignments(text: str) -> list[str]:
    """Return the words of `A=b C="d e"`, with their quotes."""
    return re.findall(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"])*"|'[^']*')+""", text)
