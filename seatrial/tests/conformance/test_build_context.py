"""Compare the detected build context with the engine's: it must be a superset, and synced files must equal a build.

SEATRIAL_BUILDS sets how many random contexts each property builds. SEATRIAL_SEED begins another row of them; the
default is always the same one, so that a check does not fail by chance.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from seatrial.image_inputs.delta import image_needs
from seatrial.image_inputs.sync_folders import places_of
from seatrial.image_inputs.working_tree import Entry, below, same
from seatrial.images.input_reader import ImageInputs, read_inputs
from seatrial.model.errors import UsageError
from seatrial.model.spec import ImageSpec, Project, RunnerSpec

COUNT = int(os.environ.get("SEATRIAL_BUILDS", "12"))
SEED = int(os.environ.get("SEATRIAL_SEED", "1"))

Image = dict[str, tuple[str, int, bytes]]
"""Map path in an image -> kind, mode and content or target."""


@pytest.fixture
def build() -> Callable[[Path], Image | None]:
    """Build a context and return the files of the image; None if the engine refuses."""
    name = f"seatrial-conformance-{uuid.uuid4().hex[:8]}"

    def built(context: Path) -> Image | None:
        # Without cache: another worker may just be removing the image that a step would come from.
        done = subprocess.run(
            ["docker", "build", "--no-cache", "--tag", name, str(context)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stdout, done.stderr)
            return None
        try:
            return _files_of(name)
        finally:
            # After each build: the next one takes the name, and an image without a name stays on the engine.
            subprocess.run(["docker", "rmi", "--force", name], capture_output=True, check=False)

    return built


def _files_of(image: str) -> Image:
    container = subprocess.run(
        ["docker", "create", image, "x"], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        exported = subprocess.run(["docker", "export", container], capture_output=True, check=True).stdout
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
    found: Image = {}
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        for member in tar:
            name = member.name.rstrip("/")
            if member.issym():
                found[name] = "l", 0, member.linkname.encode()
            elif member.isdir():
                found[name] = "d", member.mode & 0o7777, b""
            elif member.isreg():
                file = tar.extractfile(member)
                assert file is not None
                found[name] = "f", member.mode & 0o7777, file.read()
    return found


def below_app(image: Image) -> Image:
    return {path.removeprefix("app/"): entry for path, entry in image.items() if path.startswith("app/")}


def entry_of(context: Path, path: str) -> tuple[str, int, bytes]:
    place = context / path
    if place.is_symlink():
        return "l", 0, str(place.readlink()).encode()
    mode = place.stat().st_mode & 0o7777
    return ("d", mode, b"") if place.is_dir() else ("f", mode, place.read_bytes())


def inputs(context: Path) -> ImageInputs:
    spec = ImageSpec(name="x", context=context)
    return read_inputs(Project(root=context, runner=RunnerSpec(image="x"), image=(spec,)), spec, {}, {})


NAMES = ("a", "b", "c.py", "d.txt", "é", "sp ace", "[x]")
PATTERNS = (
    "a", "b", "*", "**", "*.py", "**/*.py", "a/b", "!a", "!*.py", "!**/b", "!a/b/c.py", "a*", "?", "[a-b]", "!d.txt",
    "./a/",
    "/b", "a/*", "!a/*/c.py", "# comment", "", " b ",
    "\\[x\\]", "\\a", "[b-a]", "[", "b/**", "**/a", "!b/**/d.txt", "\ufeff*.txt",
)  # fmt: skip


def fill(chance: random.Random, root: Path) -> None:
    """Create a random tree of files, directories (some empty), links and modes."""
    for _ in range(chance.randint(3, 9)):
        parent = root
        for _ in range(chance.randint(0, 2)):
            parent /= chance.choice(NAMES)
            if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                break
        else:
            parent.mkdir(parents=True, exist_ok=True)
            place = parent / chance.choice(NAMES)
            if place.exists() or place.is_symlink():
                continue
            kind = chance.random()
            if kind < 0.1:
                place.symlink_to(chance.choice(NAMES))
            elif kind < 0.2:
                place.mkdir()
            else:
                place.write_text(str(chance.random()))
                place.chmod(chance.choice((0o644, 0o755, 0o600, 0o664)))


@pytest.mark.parametrize("number", range(COUNT))
def test_detected_context_contains_that_of_the_engine(
    tmp_path: Path, build: Callable[[Path], Image | None], number: int
) -> None:
    print(f"SEATRIAL_SEED={SEED}")
    chance = random.Random(SEED + number)
    fill(chance, tmp_path)
    lines = [chance.choice(PATTERNS) for _ in range(chance.randint(0, 6))]
    (tmp_path / ".dockerignore").write_text("\n".join(["Dockerfile", ".dockerignore", *lines]))
    print((tmp_path / ".dockerignore").read_text())
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    image = build(tmp_path)

    if image is None:
        with pytest.raises(UsageError):
            inputs(tmp_path)
        return
    if "[b-a]" in lines:
        # The engine looks at a pattern only once a path comes to it.
        return
    ours = {path: entry_of(tmp_path, path) for path in inputs(tmp_path).manifest.files}
    if any(line.startswith("!") and "*" in line for line in lines):
        # Builders differ: the classic one enters an excluded directory only if a `!` pattern begins with its name.
        assert below_app(image).items() <= ours.items()
    else:
        assert below_app(image) == ours


COPIES = (
    "COPY tests tests", "COPY tests/ /app/tests", "COPY . .", "COPY . /app", "COPY src src", "COPY src/a src/a",
    "COPY a.txt ./",
    "COPY *.txt ./", "COPY src /other", "COPY a.txt tests/", "COPY src tests", "COPY tests/b tests/b",
    "COPY src/a/../a x",
    'COPY ["src", "src"]', "ADD tests tests", "COPY tests src ./", "ENV D=tests\nCOPY $D ${D:-x}", "COPY te*s tests",
    "COPY --from=side /side tests/side", "COPY --from=side /side/tests /app/tests", "COPY link link",
    "COPY --chown=1:1 tests tests",
    "WORKDIR /app\nCOPY tests ./tests", "WORKDIR sub\nCOPY tests ../tests",
)  # fmt: skip


def a_project(chance: random.Random, root: Path) -> None:
    """Create a project with a random Dockerfile."""
    (root / "a.txt").write_text("a")
    for folder in ("tests", "src"):
        (root / folder / "a").mkdir(parents=True)
        (root / folder / "b").mkdir()
        for name in ("one.py", "a/two.py", "b/three.txt"):
            (root / folder / name).write_text(f"{folder} {name} {chance.random()}")
    (root / "link").symlink_to("tests")
    lines = [chance.choice(COPIES) for _ in range(chance.randint(1, 4))]
    side = chance.choice(("COPY src/b /side/b", "COPY a.txt /side/tests/x", "COPY . /side"))
    # The classic builder builds stages that nothing needs, too, and fails with them.
    first = f"FROM scratch AS side\n{side}\n" if any("side" in line for line in lines) else ""
    text = f"{first}FROM scratch\nWORKDIR /app\n" + "\n".join(lines) + "\n"
    (root / "Dockerfile").write_text(text)
    ignored = [chance.choice(("*.md", "src/b", "tests/a", "**/*.txt", "!tests/b")) for _ in range(chance.randint(0, 2))]
    (root / ".dockerignore").write_text("\n".join(ignored) + "\n")
    print(text, ignored)


def edit(chance: random.Random, root: Path) -> None:
    """Apply one random edit."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name[0] in "abcnot")
    folders = [root / "tests", root / "src", root / "tests" / "a", root / "src" / "a", root]
    folder = chance.choice([each for each in folders if each.is_dir()])
    what = chance.randrange(8)
    file = chance.choice(files)
    if what == 0:
        file.write_text(str(chance.random()))
    elif what == 1:
        file.unlink()
    elif what == 2:
        file.chmod(chance.choice((0o755, 0o600, 0o644)))
    elif what == 3:
        (folder / f"n{chance.randrange(99)}.txt").write_text("new")
    elif what == 4:
        file.rename(folder / f"n{chance.randrange(99)}.py")
    elif what == 5:
        (folder / f"n{chance.randrange(99)}").symlink_to(chance.choice(("one.py", "../a.txt", "/etc/passwd", "none")))
    elif what == 6:
        (folder / f"new{chance.randrange(99)}").mkdir()
    elif folder != root:
        shutil.rmtree(folder)
    print("edit", what, file, folder)


@pytest.mark.parametrize("number", range(COUNT * 2))
def test_synced_files_equal_a_build(tmp_path: Path, build: Callable[[Path], Image | None], number: int) -> None:
    print(f"SEATRIAL_SEED={SEED}")
    chance = random.Random(SEED + 1000 + number)
    context = tmp_path / "context"
    context.mkdir()
    a_project(chance, context)
    before = inputs(context)
    image = build(context)
    if image is None:
        return
    _is_superset(context, image, before)
    places = places_of(before.analysis, "/app", ("tests", "src"), before.manifest.files)
    for _ in range(3):
        sent = dict(image)
        edit(chance, context)
        now = inputs(context)
        rules = now.places("/app", places, before.manifest)
        if image_needs(before.manifest, now.manifest, places=rules, rebuild=()):
            # It is built: whatever that gives is right.
            return
        for path in sorted(before.manifest.files.keys() | now.manifest.files.keys(), reverse=True):
            if below(path, places):
                sent.pop(f"app/{path}", None)
        sent |= {f"app/{path}": entry_of(context, path) for path in now.manifest.files if below(path, places)}
        built = build(context)
        assert built is not None, "the engine refuses what would have been sent"
        assert _plain(built) == _plain(sent)


def _plain(image: Image) -> dict[str, tuple[str, int, bytes]]:
    """Return the files of an image without modes of directories, which depend on the runner in a pod."""
    return {path: (kind, mode if kind == "f" else 0, content) for path, (kind, mode, content) in image.items()}


def _is_superset(context: Path, image: Image, given: ImageInputs) -> None:
    """Check that each content in the image is that of a file that counts."""
    known = {(context / path).read_bytes() for path, entry in given.manifest.files.items() if entry.kind == "f"}
    assert {content for kind, _, content in image.values() if kind == "f" and content} <= known


def test_directories_with_different_modes_are_equal() -> None:
    assert same(Entry("d", 0o755, 0, ""), Entry("d", 0o700, 0, ""))
    assert not same(Entry("f", 0o755, 0, ""), Entry("f", 0o700, 0, ""))
