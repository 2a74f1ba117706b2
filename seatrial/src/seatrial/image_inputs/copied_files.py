"""Which files of a build context a Dockerfile can copy, and which of them a changed file may be sent for. Pure.

The first question decides what an image is made from, so whatever is not understood counts as "all files". The second
decides whether a file may be sent to a pod instead of a build, so whatever is not understood counts as "no".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from seatrial.image_inputs.dockerfile import Dockerfile, Instruction, expand, parse
from seatrial.image_inputs.dockerignore import BadPattern, translate
from seatrial.image_inputs.run_steps import step

__all__ = ["Analysis", "Base", "BaseImage", "Doubt", "Read", "Source", "Write", "analyze"]

_ALL: Final = "."
_SHORT: Final = 50
_KNOWN_FLAGS: Final = {
    "COPY": frozenset({"chown", "link", "from", "chmod"}),
    "ADD": frozenset({"chown", "link", "chmod", "checksum", "keep-git-dir"}),
}
_WITHOUT_FILES: Final = frozenset(
    {"LABEL", "EXPOSE", "CMD", "ENTRYPOINT", "USER", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER"}
)
_REMOTE: Final = re.compile(r"(https?|ftp|git|ssh)://|git@|<<")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a file cannot be sent to a pod, or why all files count."""

    line: int
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """As part of a sentence."""
        place = f"Dockerfile line {self.line}: {self.message}" if self.line else self.message
        return place + (f" ({self.remedy})" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Source:
    """A path of the context that an instruction names; with wildcards one pattern for each of its parts."""

    path: str
    parts: tuple[re.Pattern[str], ...] = ()

    def matches(self, path: str) -> bool:
        """Whether the path is the source, or below it."""
        if not self.parts:
            return self.path in (_ALL, path) or path.startswith(self.path + "/")
        names = path.split("/")
        return len(names) >= len(self.parts) and self._fit(names)

    def reaches_below(self, directory: str) -> bool:
        """Whether the source can be, or have, anything below a directory."""
        if not self.parts:
            return self.matches(directory) or self.path.startswith(directory + "/")
        return self._fit(directory.split("/"))

    def top(self, path: str) -> str:
        """Return which file or directory the source stands for where it matches the path."""
        return "/".join(path.split("/")[: len(self.parts)]) if self.parts else self.path

    def _fit(self, names: Sequence[str]) -> bool:
        return all(part.fullmatch(name) for part, name in zip(self.parts, names, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An instruction that takes files out of the context.

    Attributes:
        order: its place in the chain of stages that the image consists of; -1: it stands in another stage.
        destination: absolute path in the image; None: unknown.
        owned: it sets an owner.
        editable: line of a later RUN that installs projects without copying them; 0: none.
        doubt: why none of its files may be sent; None: they may.
    """

    order: int
    line: int
    sources: tuple[Source, ...]
    destination: str | None = None
    owned: bool = False
    editable: int = 0
    doubt: Doubt | None = None

    def matches(self, path: str) -> bool:
        """Whether it takes the file."""
        return any(source.matches(path) for source in self.sources)

    def targets(self, path: str) -> list[str]:
        """Return where in the image it may put a file that it takes."""
        if self.destination is None:
            return []
        found = []
        for source in self.sources:
            if source.matches(path):
                top = source.top(path)
                below = path if top == _ALL else path[len(top) + 1 :]
                if below:
                    found.append(posixpath.join(self.destination, below))
                else:
                    found += [self.destination, posixpath.join(self.destination, posixpath.basename(path))]
        return found


@dataclass(frozen=True, slots=True)
class Write:
    """An instruction that may change files below a path of the image by other means than the context's files.

    Attributes:
        covers: whether it matters to places below its path whenever it runs, not only after they were copied.
    """

    order: int
    line: int
    path: str
    message: str
    covers: bool = False


class BaseImage(NamedTuple):
    """What is known of a base image: its working directory, its variables, and whether it has ONBUILD instructions."""

    workdir: str
    environment: Mapping[str, str] = {}
    triggers: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """An image that a stage starts from or copies out of."""

    reference: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What a Dockerfile does with its context.

    Attributes:
        bases: the images that it needs, without its own stages.
        everything: why all files count, whatever it copies; None: only what `reads` take.
        workdir: of the image; None: that of its base.
    """

    bases: tuple[Base, ...] = ()
    reads: tuple[Read, ...] = ()
    writes: tuple[Write, ...] = ()
    everything: Doubt | None = None
    workdir: str | None = None

    def copies(self, path: str) -> bool:
        """Whether the image can have the file, or depend on it."""
        return self.everything is not None or any(read.matches(path) for read in self.reads)

    def reaches_below(self, directory: str) -> bool:
        """Whether the image can have anything that is in a directory."""
        return self.everything is not None or any(
            source.reaches_below(directory) for read in self.reads for source in read.sources
        )


@dataclass(slots=True)
class _Stage:
    """One stage while it is being read."""

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
    """Return what a Dockerfile does with its context.

    Args:
        text: the Dockerfile.
        target: the stage that is built; None: the last one.
        args: build arguments, which win over defaults.
        bases: by reference, those of the base images that are known.
    """
    return _Analyzer(parse(text), args or {}, bases or {}).result(target)


class _Analyzer:
    """Goes through the stages once for what they need, and along the chain of the last one for what happens there."""

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
        """Return what was found."""
        syntax = self.dockerfile.syntax
        if syntax and not re.match(r"(docker\.io/)?docker/dockerfile(:|@|$)", syntax):
            self.all_count(1, f"another frontend, {syntax}, reads this Dockerfile")
        self.read_stages()
        if not self.stages:
            self.all_count(0, "the Dockerfile has no FROM")
            return Analysis(everything=self.everything)
        final = self.find(target) if target else self.stages[-1]
        if final is None:
            # The build will say so.
            final = self.stages[-1]
        reachable = self.reachable(final.index)
        chain: list[_Stage] = []
        link: int | None = final.index
        while link is not None:
            chain.insert(0, self.stages[link])
            link = self.stages[link].parent
        # A stage of the chain out of which another instruction copies has its files in two places.
        sources = {need for index in reachable for need in self.stages[index].needs}
        aside = set().union(*(self.ancestors(index) for index in sources)) if sources else set()
        order = 0
        for stage in self.stages:
            if stage.index in reachable and (stage not in chain or stage.index in aside):
                self.read_aside(stage)
        for stage in chain:
            shell = True
            for instruction, values, workdir in stage.instructions:
                order += 1
                if instruction.name == "SHELL":
                    shell = False
                self.along(order, instruction, values, workdir, shell=shell)
        bases = dict.fromkeys(base for index in sorted(reachable) for base in self.references.get(index, ()))
        unique = {base.reference: base for base in reversed(bases)}
        for base in unique.values():
            if base.reference in self.known and self.known[base.reference].triggers:
                self.all_count(base.line, f"{base.reference} has ONBUILD instructions")
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
                self.begin(instruction, values)
            elif not self.stages:
                if instruction.name == "ARG":
                    self.declare(instruction, values, {}, frozenset())
                else:
                    self.all_count(instruction.line, f"{instruction.name} before the first FROM")
            else:
                self.take(self.stages[-1], instruction, values)

    def begin(self, instruction: Instruction, values: Mapping[str, str | None]) -> None:
        words = instruction.text.split()
        # No base has set anything yet: a variable that is not there is unset.
        reference = expand(words[0], values, self.dockerfile.escape, complete=True) if words else None
        names = [str(len(self.stages))]
        if [word.upper() for word in words[1:2]] == ["AS"]:
            names.append(words[-1].lower())
        if not reference:
            self.all_count(instruction.line, f"its base {words[0] if words else ''} is not known")
        parent = self.find(reference) if reference and not reference.isdigit() else None
        stage = _Stage(len(self.stages), tuple(names), parent.index if parent else None)
        if parent:
            stage.fixed = set(parent.fixed)
            # Whether arguments of a stage are known in those that start from it depends on the builder.
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

    def take(self, stage: _Stage, instruction: Instruction, globals_: Mapping[str, str | None]) -> None:
        """Take one instruction into a stage, with the variables as they are there."""
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
                self.all_count(instruction.line, "what it copies from is not known")
            elif (other := self.find(reference)) is not None:
                stage.needs.add(other.index)
            elif reference != "scratch":
                self.references.setdefault(stage.index, []).append(Base(reference, instruction.line))

    def taken_from(self, instruction: Instruction, values: Mapping[str, str | None]) -> Iterable[str | None]:
        """Return the stages and images that an instruction takes files from."""
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
        """Take an ARG; a variable of ENV wins over it."""
        for word in _assignments(instruction.text):
            name, given, default = word.partition("=")
            if name in fixed:
                continue
            value = self.expanded(default, values) if given else above.get(name)
            values[name] = self.args.get(name, value)

    def set_variables(self, instruction: Instruction, values: dict[str, str | None]) -> set[str]:
        """Take an ENV and return the names that it sets."""
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
        """Return the stage of a name; of several the last one."""
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

    # What instructions do.

    def read_aside(self, stage: _Stage) -> None:
        """Take what a stage reads whose files reach the image by another way than as they are."""
        for instruction, values, _ in stage.instructions:
            if instruction.name in ("COPY", "ADD") and instruction.flag("from") is None:
                message = f"{instruction.name} in another stage than the image's own"
                doubt = Doubt(instruction.line, message, "COPY what you edit in the last stage")
                self.reads.append(
                    Read(order=-1, line=instruction.line, sources=self.sources(instruction, values)[0], doubt=doubt)
                )
            elif instruction.name == "RUN":
                self.bound(-1, instruction, values)
            elif instruction.name not in _WITHOUT_FILES | {"COPY", "ADD", "ARG", "ENV", "WORKDIR", "SHELL", "VOLUME"}:
                self.all_count(instruction.line, f"{instruction.name} is not understood")

    def along(
        self,
        order: int,
        instruction: Instruction,
        values: Mapping[str, str | None],
        workdir: str | None,
        *,
        shell: bool,
    ) -> None:
        """Take one instruction of the chain that the image consists of."""
        name = instruction.name
        if name == "RUN":
            self.bound(order, instruction, values)
            self.ran(order, instruction, workdir, shell=shell)
        elif name in ("COPY", "ADD"):
            self.copied(order, instruction, values, workdir)
        elif name == "VOLUME":
            for word in instruction.words:
                path = _joined(workdir, self.expanded(word, values)) or "/"
                self.writes.append(Write(order, instruction.line, path, f"VOLUME {word}", covers=True))
        elif name == "ONBUILD" or name not in _WITHOUT_FILES | {"ARG", "ENV", "WORKDIR", "SHELL"}:
            self.all_count(instruction.line, f"{name} is not understood")

    def ran(self, order: int, instruction: Instruction, workdir: str | None, *, shell: bool) -> None:
        """Let a RUN do what it does to everything that was copied before it."""
        done = step(instruction, workdir, shell=shell)
        words = f"RUN {instruction.text}"
        short = words if len(words) <= _SHORT else f"{words[: _SHORT - 3]}..."
        for path in done.touches:
            self.writes.append(Write(order, instruction.line, path, f"{short} works on {path}", covers=True))
        for index, read in enumerate(self.reads):
            if read.order < 0 or read.doubt:
                continue
            if done.kind == "any":
                what = " ".join(source.path for source in read.sources)
                doubt = Doubt(
                    instruction.line,
                    f"{short} may depend on it",
                    f"move COPY {what} below the last RUN to have it sent",
                )
                self.reads[index] = replace(read, doubt=doubt)
            elif done.kind == "editable" and not read.editable:
                self.reads[index] = replace(read, editable=instruction.line)

    def bound(self, order: int, instruction: Instruction, values: Mapping[str, str | None]) -> None:
        """Take what a RUN mounts of the context."""
        for mount in _mounts(instruction):
            if mount.get("type", "bind") != "bind" or "from" in mount:
                continue
            source = mount.get("source", mount.get("src", _ALL))
            path = self.expanded(source, values)
            if path is None:
                self.all_count(instruction.line, f"the source {source} of its mount is not known")
                continue
            doubt = Doubt(instruction.line, "RUN --mount uses it")
            self.reads.append(Read(order=order, line=instruction.line, sources=(_source(path),), doubt=doubt))

    def copied(
        self, order: int, instruction: Instruction, values: Mapping[str, str | None], workdir: str | None
    ) -> None:
        """Take a COPY or ADD."""
        sources, remote = self.sources(instruction, values)
        words = instruction.words
        target = self.expanded(words[-1], values) if words else None
        destination = _joined(workdir, target)
        line, name = instruction.line, instruction.name
        if instruction.flag("from") is not None or remote:
            message = f"{name} of other files to {words[-1]}"
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
            doubt = Doubt(line, "COPY --chmod gives its files another mode", "set the mode in the working tree")
        elif destination is None:
            doubt = Doubt(line, f"where {words[-1]} is in the image is not known", "write an absolute WORKDIR")
        elif any(source.parts for source in sources):
            doubt = Doubt(line, "COPY with a wildcard", "COPY the whole folder")
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
        """Return what a COPY or ADD takes out of the context, and whether it takes anything else."""
        if instruction.flag("from") is not None:
            return (), False
        if instruction.flag("parents") is not None:
            self.all_count(instruction.line, f"{instruction.name} --parents")
        found, remote = [], bool(instruction.heredocs)
        for word in instruction.words[:-1]:
            if _REMOTE.match(word):
                remote = True
                continue
            path = self.expanded(word, values)
            if path is None:
                self.all_count(instruction.line, f"{word} has a variable whose value is not known")
                continue
            try:
                found.append(_source(path))
            except BadPattern:
                self.all_count(instruction.line, f"{word} is no pattern")
        return tuple(found), remote

    def expanded(self, text: str, values: Mapping[str, str | None]) -> str | None:
        return expand(text, values, self.dockerfile.escape)

    def all_count(self, line: int, message: str) -> None:
        """Remember the first reason why all files count."""
        self.everything = self.everything or Doubt(line, message)


def _joined(workdir: str | None, path: str | None) -> str | None:
    """Return a path of the image, absolute and plain; None if that is not known."""
    if path is None or (workdir is None and not path.startswith("/")):
        return None
    return posixpath.normpath("/" + posixpath.join(workdir or "/", path).lstrip("/"))


def _source(path: str) -> Source:
    """Return a source as the builder takes it: relative to the context, which it cannot leave."""
    plain = posixpath.normpath("/" + path).lstrip("/") or _ALL
    if not re.search(r"[*?\[\\]", plain):
        return Source(plain)
    return Source(plain, tuple(re.compile(translate(part), re.DOTALL) for part in plain.split("/")))


def _mounts(instruction: Instruction) -> list[dict[str, str]]:
    """Return the mounts of a RUN: key to value."""
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
