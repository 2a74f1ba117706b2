"""Choose the images that a first `seatrial.toml` builds: for the tests, and for charts with a Dockerfile. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from seatrial.config.detect import Detected
from seatrial.config.detect_dockerfile import Dockerfile, DockerStage

__all__ = ["Images", "choose_images", "short_name"]

_NAMED_TESTS: Final = re.compile(r"(?:^|[._/-])(?:py)?tests?(?:ing)?(?:$|[._/-])", re.IGNORECASE)


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """The images to build.

    Attributes:
        tests: name of the image that the tests run in.
        stage: what that image contains.
        built: Dockerfile and target of each image by its name; an empty target is the last stage.
        found: which Dockerfile shows pytest and the tests, if one does.
        guessed: each choice that nothing proves, with how to correct it.
    """

    tests: str
    stage: DockerStage
    built: dict[str, tuple[Dockerfile, str]]
    found: tuple[str, ...]
    guessed: tuple[str, ...]


class _Build(NamedTuple):
    """A stage of a Dockerfile by its number, as a possible image."""

    file: Dockerfile
    number: int

    @property
    def stage(self) -> DockerStage:
        return self.file.stages[self.number]

    @property
    def is_last(self) -> bool:
        return self.number == len(self.file.stages) - 1

    @property
    def named_tests(self) -> bool:
        return bool(_NAMED_TESTS.search(self.stage.name) or _NAMED_TESTS.search(str(self.file.path)))

    @property
    def evidence(self) -> int:
        return self.stage.has_pytest + self.stage.has_tests + self.named_tests

    @property
    def target(self) -> str:
        """What `target` says: a stage for tests by its name also if it is the last, which may change."""
        if self.is_last and not _NAMED_TESTS.search(self.stage.name):
            return ""
        return self.stage.name or str(self.number)

    def __str__(self) -> str:
        return f"{self.file.path}" + (f", target {self.target}" if self.target else "")


def choose_images(detected: Detected) -> Images:
    """Choose the images to build. There must be a Dockerfile."""
    tests = _tests(detected)
    builds = dict(_charts(detected, tests))
    guessed = [
        f'[[image]] "{name}": built from {build}, because a chart names it; correct dockerfile and target,'
        " or remove the table to use the chart's image"
        for name, build in builds.items()
    ]
    name = next((name for name, build in builds.items() if build == tests), "")
    if not name:
        usual = len(detected.dockerfiles) == 1 and tests.is_last and not tests.named_tests
        name = detected.name if usual and detected.name not in builds else f"{detected.name}-tests"
        builds[name] = tests
    found, doubt = _reasons(tests)
    if doubt:
        guessed.insert(0, f'[runner] image = "{name}": {doubt}')
    used = [build.file for build in builds.values()]
    unused = [str(file.path) for file in detected.dockerfiles if file not in used]
    if unused:
        guessed.append(f"[[image]]: no image is built from {', '.join(unused)}; add an [[image]] if one is needed")
    guessed += [
        f"[[image]] context: {file.path} copies from {_folder(file.context)}; correct context if it does not"
        for file in detected.dockerfiles
        if file in used and file.path.parent != Path()
    ]
    return Images(
        tests=name,
        stage=tests.stage,
        built={name: (build.file, build.target) for name, build in builds.items()},
        found=tuple(found),
        guessed=tuple(guessed),
    )


def short_name(repository: str) -> str:
    """Return the last part of an image's repository."""
    return repository.rpartition("/")[2]


def _tests(detected: Detected) -> _Build:
    """Return the stage with the most evidence for tests; without any, the last stage of the first Dockerfile."""
    builds = [
        build
        for file in detected.dockerfiles
        for number, stage in enumerate(file.stages)
        if (build := _Build(file, number)).is_last or stage.name
    ]
    best = max(builds, key=lambda build: (build.evidence, build.named_tests))
    return best if best.evidence else next(build for build in builds if build.is_last)


def _charts(detected: Detected, tests: _Build) -> Iterator[tuple[str, _Build]]:
    """Yield the images in the values of the charts that a Dockerfile of the project seems to build."""
    for name in dict.fromkeys(short_name(each) for chart in detected.charts for each in chart.images.values()):
        files = [file for file in detected.dockerfiles if name in _names(file)]
        if not files and name == detected.name:
            files = [file for file in detected.dockerfiles if file != tests.file] or [tests.file]
        if files:
            yield name, _app(files[0], tests)


def _names(file: Dockerfile) -> tuple[str, str]:
    """Return the names that a path suggests: `api` for `api/Dockerfile`, `Dockerfile.api` and `api.Dockerfile`."""
    suffix = re.sub(r"^(?:Dockerfile|Containerfile)[.-]|\.[Dd]ockerfile$", "", file.path.name)
    return file.path.parent.name, suffix


def _app(file: Dockerfile, tests: _Build) -> _Build:
    """Return the last stage; if that is for tests, the stage that it starts from, else the stage before it."""
    last = _Build(file, len(file.stages) - 1)
    if last != tests or not _NAMED_TESTS.search(last.stage.name) or not last.number:
        return last
    names = [stage.name for stage in file.stages]
    return _Build(file, names.index(last.stage.base) if last.stage.base in names else last.number - 1)


def _folder(path: Path) -> str:
    return "the project's directory" if path == Path() else f"{path}/"


def _reasons(tests: _Build) -> tuple[list[str], str]:
    """Return what shows that an image is for tests, and what does not show it with how to correct the choice."""
    stage = tests.stage
    if stage.has_pytest and stage.has_tests:
        return [f"pytest and the tests in {tests}"], ""
    if stage.has_pytest or stage.has_tests:
        shown, lacking = ("pytest", "the tests") if stage.has_pytest else ("the tests", "pytest")
        return [], f"{tests} shows {shown}, not {lacking}; if the image lacks {lacking}, add them to the Dockerfile"
    if tests.named_tests:
        return [], f"{tests} is named like tests, but shows neither pytest nor tests; add them if the image lacks them"
    return [], (
        "no Dockerfile shows pytest or the tests; for an image with both, remove seatrial.toml and run:"
        " seatrial init --dockerfile"
    )
