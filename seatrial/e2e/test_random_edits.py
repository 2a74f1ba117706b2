"""Test random edits of a project with a kept environment: it equals a build from scratch, or the run is not green.

SEATRIAL_EDITS sets the number of edits. SEATRIAL_SEED selects another sequence; the default is fixed, so that the check
does not fail by chance. The oracle is independent of seatrial: it builds a copy of the project with Docker, reads files
from containers, and renders charts with Helm.
"""

from __future__ import annotations

import collections
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from shop_project import ENVIRONMENT, NAME, Shop, containers, copy, docker

EDITS = int(os.environ.get("SEATRIAL_EDITS", "20"))
SEED = int(os.environ.get("SEATRIAL_SEED", "1610541701"))

DOCKERFILE = """
FROM app AS tests
USER 0
COPY pyproject.toml generated.py ./
COPY conf conf
COPY tests tests
USER 1000
"""
MANIFEST = """
import hashlib, json, os, stat
found = {}
for place, folders, files in os.walk("/app"):
    folders[:] = [each for each in folders if each not in ("__pycache__", ".venv")]
    for name in folders + files:
        path = os.path.join(place, name)
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            found[path] = "l " + os.readlink(path)
        elif stat.S_ISDIR(info.st_mode):
            found[path] = "d"
        else:
            try:
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            except PermissionError:
                content = "unreadable"
            found[path] = "f %o %s" % (stat.S_IMODE(info.st_mode), content)
print(json.dumps(found))
"""
TEST = "def test_it():\n    assert True\n"


@dataclass
class Bench:
    """The project, its random edits, and the oracle.

    Attributes:
        undo: reverts the last edit.
    """

    shop: Shop
    chance: random.Random
    oracle: Path
    undo: Callable[[], None] = lambda: None
    seen: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def root(self) -> Path:
        return self.shop.root

    def files(self, *folders: str) -> list[Path]:
        """Return the editable files."""
        found = [
            path for folder in folders for path in (self.root / folder).rglob("*") if "__pycache__" not in path.parts
        ]
        kept = {self.root / "tests" / "test_it.py", self.root / "src" / "shop" / "__init__.py"}
        return sorted(path for path in found if path.is_file() and not path.is_symlink() and path not in kept)

    def any_file(self) -> Path:
        return self.chance.choice(self.files("tests", "src", "conf", "docs"))

    def folder(self) -> Path:
        folders = [path.parent for path in self.files("tests", "src", "conf", "docs")]
        return self.chance.choice(sorted(set(folders)))

    def word(self) -> str:
        return f"n{self.chance.randrange(1000)}"

    # Edits. Each returns a description.

    def change(self) -> str:
        file = self.any_file()
        file.write_text(f"# {self.chance.random()}\n")
        return f"change {file.relative_to(self.root)}"

    def change_ignored_by_git(self) -> str:
        (self.root / "generated.py").write_text(f"VALUE = {self.chance.random()}\n")
        return "change generated.py"

    def create(self) -> str:
        file = self.folder() / f"{self.word()}.py"
        file.write_text(f"# {self.chance.random()}\n")
        return f"create {file.relative_to(self.root)}"

    def delete(self) -> str:
        file = self.any_file()
        file.unlink()
        return f"delete {file.relative_to(self.root)}"

    def rename(self) -> str:
        file, folder = self.any_file(), self.folder()
        file.rename(folder / f"{self.word()}.txt")
        return f"rename {file.relative_to(self.root)}"

    def rename_folder(self) -> str:
        folder = self.folder()
        target = folder.with_name(self.word())
        folder.rename(target)
        return f"rename folder {folder.relative_to(self.root)} to {target.name}"

    def chmod(self) -> str:
        file, mode = self.any_file(), self.chance.choice((0o755, 0o644, 0o664, 0o600))
        file.chmod(mode)
        return f"chmod {mode:o} {file.relative_to(self.root)}"

    def symlink(self) -> str:
        link = self.folder() / f"{self.word()}.lnk"
        link.symlink_to(self.chance.choice(("test_it.py", "../docs/a.md", "/etc/hostname", "nowhere")))
        return f"symlink {link.relative_to(self.root)}"

    def empty_folder(self) -> str:
        folder = self.folder() / self.word()
        folder.mkdir()
        return f"mkdir {folder.relative_to(self.root)}"

    def ignore(self) -> str:
        lines = (self.root / ".dockerignore").read_text().splitlines()
        wanted = self.chance.choice(("tests/more", "**/*.txt", "conf/b*", "src/shop/data", "!conf/b.txt", "docs"))
        lines = [line for line in lines if line != wanted] if wanted in lines else [*lines, wanted]
        (self.root / ".dockerignore").write_text("\n".join(lines) + "\n")
        return f"ignore {wanted}"

    def git_ignore(self) -> str:
        with (self.root / ".gitignore").open("a") as file:
            file.write(self.chance.choice(("tests/more/\n", "*.py\n", "src\n")))
        return "git ignore"

    def dockerfile(self) -> str:
        with (self.root / "Dockerfile").open("a") as file:
            file.write(self.chance.choice(("# comment\n", f"ENV SOME={self.word()}\n", "COPY docs /app/docs\n")))
        return "Dockerfile"

    def argument(self) -> str:
        self.shop.edit("seatrial.toml", 'args = { MARK = "', f'args = {{ MARK = "{self.word()}')
        return "build argument"

    def value(self) -> str:
        (self.root / "values.yaml").write_text(f"stock: {self.chance.randrange(1000)}\n")
        return "values.yaml"

    def chart(self) -> str:
        text = self.manifest("more").replace("{{", "")
        (self.root / "chart" / "templates" / "more.yaml").write_text(text)
        return "chart template"

    def chart_file(self) -> str:
        """Change a file that a template reads through a link."""
        (self.root / "shared" / "text.txt").write_text(self.word())
        return "file behind a link in the chart"

    def applied(self) -> str:
        (self.root / "manifests" / "extra.yaml").write_text(self.manifest("extra"))
        return "manifest"

    def manifest(self, name: str) -> str:
        return yaml.safe_dump(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"word": self.word()}}
        )

    def by_hand(self) -> str:
        name = self.chance.choice(("web", "extra"))
        self.shop.kubectl(
            "patch", "configmap", name, "--type=merge", "-p", '{"data": {"word": "by hand", "stock": "0"}}'
        )
        return f"patch configmap {name} by hand"

    def in_the_pod(self) -> str:
        what = self.chance.choice(
            ("echo >> tests/test_it.py", "touch tests/ghost.py", "rm -rf tests/more", "mkdir tests/left")
        )
        self.shop.kubectl("exec", "test-runner", "-c", "tests", "--", "sh", "-c", what)
        return f"in the pod: {what}"

    def coverage(self) -> str:
        self.shop("test", "--cov-report=xml")
        return "test --cov-report=xml"

    def edit(self) -> str:
        """Make one edit, and record how to revert it."""
        saved = self.oracle.with_name("saved")
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(self.root, saved, symlinks=True, ignore=shutil.ignore_patterns(".seatrial", "__pycache__"))

        def undo() -> None:
            for each in self.root.iterdir():
                if each.name == ".seatrial":
                    continue
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
            shutil.copytree(saved, self.root, symlinks=True, dirs_exist_ok=True)

        self.undo = undo
        kinds = [
            *(self.change, self.create) * 3,
            *(self.delete, self.rename, self.rename_folder, self.chmod, self.symlink, self.empty_folder, self.ignore)
            * 2,
            *(self.change_ignored_by_git, self.git_ignore, self.dockerfile, self.argument, self.value, self.chart),
            *(self.chart_file, self.applied, self.by_hand, self.in_the_pod, self.coverage),
        ]
        kind = self.chance.choice(kinds)
        self.seen[kind.__name__] += 1
        return kind()

    # The oracle.

    def expected(self) -> dict[str, dict[str, str]]:
        """Return the files of images built from scratch, by target; a failed build raises."""
        shutil.rmtree(self.oracle, ignore_errors=True)
        ignored = shutil.ignore_patterns(".seatrial", ".pytest_cache", "__pycache__", "coverage.xml", ".coverage")
        shutil.copytree(self.root, self.oracle, symlinks=True, ignore=ignored)
        mark = next(line for line in (self.root / "seatrial.toml").read_text().splitlines() if "MARK" in line).split(
            '"'
        )[1]
        found = {}
        for target in ("app", "tests"):
            tag = f"seatrial-oracle:{target}"
            docker(
                "build", "--quiet", "--build-arg", f"MARK={mark}", "--target", target, "--tag", tag, str(self.oracle)
            )
            found[target] = self.in_image(tag)
        return found

    def in_image(self, reference: str) -> dict[str, str]:
        out = docker("run", "--rm", "--entrypoint", "python3", reference, "-c", MANIFEST)
        found: dict[str, str] = json.loads(out)
        return found

    def in_pod(self) -> dict[str, str]:
        out = self.shop.kubectl("exec", "test-runner", "-c", "tests", "--", "python3", "-c", MANIFEST)
        found: dict[str, str] = json.loads(out)
        return found

    def rendered(self, image: str) -> list[dict[str, Any]]:
        """Return the ConfigMaps in Helm's rendering of the chart and in the manifests."""
        repository, _, tag = image.rpartition(":")
        sets = ["--set", f"image.repository={repository}", "--set", f"image.tag={tag}"]
        argv = ["helm", "template", "shop", "chart", "--values", "values.yaml", *sets]
        out = subprocess.run(argv, cwd=self.root, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
        texts = [out, *(path.read_text() for path in sorted((self.root / "manifests").iterdir()))]
        return [obj for text in texts for obj in yaml.safe_load_all(text) if obj]

    def check(self) -> None:
        """Compare the environment with images and charts built from scratch."""
        wanted = self.expected()
        assert self.in_pod() == wanted["tests"]
        image = self.shop.kubectl(
            "get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"
        )
        # The tag is followed by the registry's digest, which the engine may not know.
        image = image.partition("@")[0]
        assert self.in_image(image) == wanted["app"]
        pods = json.loads(self.shop.kubectl("get", "pods", "-l", "app=web", "-o", "json"))["items"]
        running = {
            pod["spec"]["containers"][0]["image"].partition("@")[0]
            for pod in pods
            if not pod["metadata"].get("deletionTimestamp")
        }
        assert running == {image}
        for obj in self.rendered(image):
            if obj["kind"] == "ConfigMap":
                there = json.loads(self.shop.kubectl("get", "configmap", obj["metadata"]["name"], "-o", "json"))
                assert there["data"] == obj["data"]


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Provide a kept environment whose product and runner are two stages of one Dockerfile."""
    shop = copy(tmp_path_factory, "edits")
    root = shop.root
    for name, text in {
        "tests/test_it.py": TEST,
        "tests/more/a.py": "1",
        "tests/more/b.txt": "1",
        "tests/helper.py": "1",
        "src/shop/data/a.json": "{}",
        "src/shop/more.py": "1",
        "conf/a.ini": "1",
        "conf/b.txt": "1",
        "docs/a.md": "1",
        "docs/b.md": "1",
        "generated.py": "1",
        ".gitignore": "generated.py\n",
        "values.yaml": "stock: 42\n",
        "shared/text.txt": "1",
        "manifests/extra.yaml": yaml.safe_dump(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"word": "first"}}
        ),
        "chart/templates/linked.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: linked}\n"
        'data: {text: {{ .Files.Get "files/text.txt" | quote }}}\n',
        ".dockerignore": "**/__pycache__\n.seatrial\n.pytest_cache\n.coverage\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "chart" / "files").symlink_to("../shared")
    (root / "tests" / "test_shop.py").unlink()
    text = (
        (root / "Dockerfile").read_text().replace("FROM ${PYTHON_IMAGE}\n", "FROM ${PYTHON_IMAGE} AS app\nARG MARK\n")
    )
    text = text.replace("COPY pyproject.toml ./\n", "").replace("COPY tests tests\n", "ENV MARK=$MARK\n")
    (root / "Dockerfile").write_text(text + DOCKERFILE)
    config = (root / "seatrial.toml").read_text()
    images = '[[image]]\nname = "shop-app"\ntarget = "app"\nargs = { MARK = "" }\n\n[[image]]\nname = "shop-test"\n'
    config = config.replace('[[image]]\nname = "shop-test"\n', images + 'args = { MARK = "" }\n')
    release = (
        'namespace = "shop"\nvalues = ["values.yaml"]\nmanifests = ["manifests"]\nimages = { image = "shop-app" }\n'
    )
    config = config.replace('chart = "chart"\nnamespace = "shop"\n', f'chart = "chart"\n{release}')
    (root / "seatrial.toml").write_text(
        config.replace('"pytest", "tests/", "--cov"', '"pytest", "tests/test_it.py", "--cov"')
    )
    shop("up")
    yield Bench(shop, random.Random(SEED), tmp_path_factory.mktemp("oracle") / "copy")
    shop("down")
    for target in ("app", "tests"):
        subprocess.run(["docker", "rmi", "--force", f"seatrial-oracle:{target}"], capture_output=True, check=False)
    assert containers(f"{NAME}-edits") == []


def test_environment_after_each_edit_equals_build_or_run_fails(bench: Bench) -> None:
    print(f"SEATRIAL_SEED={SEED}")
    bench.shop("test")
    bench.check()
    green, seconds = 0, 0.0
    for number in range(EDITS):
        what = bench.edit()
        began = time.monotonic()
        done = subprocess.run(
            bench.shop.command("test"), env=bench.shop.env, cwd=bench.root, capture_output=True, text=True, check=False
        )
        seconds += time.monotonic() - began
        print(f"{number}: {what}: exit {done.returncode} after {time.monotonic() - began:.1f} s", flush=True)
        if done.returncode == 0:
            green += 1
            bench.check()
            continue
        print("  " + "\n  ".join((done.stdout + done.stderr).splitlines()[-6:]))
        # No edit may prevent the next command from running.
        bench.undo()
        bench.shop("test")
        bench.check()
    print(f"{green} of {EDITS} runs green, {seconds / max(EDITS, 1):.1f} s each; edits: {dict(bench.seen)}")
    assert green > EDITS // 2, "most edits are harmless"
