"""Everything that decides an image is an input, and nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from fakes import World
from msgspec.structs import replace
from seatrial.config.detect import detect
from seatrial.config.draft import dockerfile
from seatrial.image_inputs.sync_folders import places_of
from seatrial.images import input_reader
from seatrial.images.input_reader import build_arguments
from seatrial.model.errors import UsageError
from seatrial.model.spec import ImageSpec
from seatrial.saved_state import read, write
from shop_world import inputs_of


@pytest.fixture
def context(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n")
    (tmp_path / ".dockerignore").write_text("*\n!src\n**/*.log\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("1\n")
    (tmp_path / "src" / "b.log").write_text("1\n")
    (tmp_path / "README").write_text("1\n")
    return tmp_path


def paths(root, **more):
    return sorted(path for path, entry in inputs_of(root, **more).manifest.files.items() if entry.kind != "d")


class TestInputs:
    def test_arguments_out_of_the_environment(self):
        spec = ImageSpec(name="x", args={"A": "plain", "B": "$INDEX", "C": "${MISSING}"})

        assert build_arguments(spec, {"INDEX": "http://i"}) == {"A": "plain", "B": "http://i"}

    def test_context_is_what_the_build_sees(self, context):
        assert paths(context) == ["src/a.py"]

    def test_git_ignores_nothing(self, context):
        (context / ".git").mkdir()
        (context / ".gitignore").write_text("src/\n*.py\n")

        assert paths(context) == ["src/a.py"]

    def test_what_no_instruction_copies_is_no_input(self, context):
        (context / ".dockerignore").unlink()
        (context / "Dockerfile").write_text("FROM scratch\nCOPY src /x\n")

        assert paths(context) == ["src/a.py", "src/b.log"]

    def test_an_ignore_file_of_the_dockerfile_wins(self, context):
        (context / "docker").mkdir()
        (context / "docker" / "Tests").write_text("FROM scratch\nCOPY . .\n")
        (context / "docker" / "Tests.dockerignore").write_text("*\n!README\n")

        assert paths(context, dockerfile=context / "docker" / "Tests") == ["README"]

    def test_no_dockerfile(self, tmp_path):
        with pytest.raises(UsageError):
            inputs_of(tmp_path)

    def test_every_input_changes_the_digest(self, context):
        def digest(**more):
            return inputs_of(context, **more).manifest.digest

        seen = [digest(), digest(args={"A": "b"}), digest(target="t"), digest(secrets=("id=a,env=A",))]
        seen.append(digest(secrets=("id=a,env=A",), environ={"A": "1"}))
        seen.append(digest(args={"A": "$B"}, environ={"B": "1"}))
        seen.append(digest(args={"A": "$B"}, environ={"B": "2"}))
        (context / "secret").write_text("1")
        seen.append(digest(secrets=(f"id=a,src={context / 'secret'}",)))
        (context / "secret").write_text("2")
        seen.append(digest(secrets=(f"id=a,src={context / 'secret'}",)))
        for change in (
            lambda: (context / "src" / "a.py").chmod(0o755),
            lambda: (context / "src" / "a.py").chmod(0o600),
            lambda: (context / "src" / "a.py").write_text("2\n"),
            lambda: (context / "src" / "c.py").symlink_to("a.py"),
            (context / "src" / "empty").mkdir,
            lambda: (context / "src" / "empty").chmod(0o700),
            lambda: (context / "src" / "a.py").rename(context / "src" / "d.py"),
            lambda: (context / ".dockerignore").write_text("*\n!src\n"),
            lambda: (context / "Dockerfile").write_text("FROM scratch\nCOPY . /x\n#\n"),
        ):
            change()
            seen.append(digest())

        assert len(set(seen)) == len(seen)

    def test_what_is_no_input_does_not_change_the_digest(self, context):
        before = inputs_of(context).manifest
        (context / "README").write_text("other\n")
        (context / "src" / "b.log").write_text("other\n")
        (context / "src" / "a.py").touch()
        (context / "src" / "__pycache__").mkdir()
        (context / "src" / "__pycache__" / "a.pyc").touch()

        assert inputs_of(context).manifest == before

    def test_base_images_count_with_their_ids(self, context):
        (context / "Dockerfile").write_text("FROM base:1\nCOPY --from=tool:1 /a /a\n")
        images = World(context).images
        images.present["base:1"] = "sha256:b"

        assert inputs_of(context, present=images.inspect(["base:1"])).manifest.bases == {
            "base:1": "sha256:b",
            "tool:1": "",
        }

    def test_a_source_that_is_a_link_makes_all_files_count(self, context):
        (context / ".dockerignore").unlink()
        (context / "tests").symlink_to("src")
        for copy in ("COPY tests t", "COPY test[s] t", "COPY tests/a.py t"):
            (context / "Dockerfile").write_text(f"FROM scratch\n{copy}\n")
            assert "src/a.py" in paths(context)

    def test_names_that_are_not_utf_8_are_inputs(self, context):
        (context / "src" / "caf\udce9.py").write_text("1")
        manifest = inputs_of(context).manifest

        assert "src/caf\udce9.py" in manifest.files
        assert manifest.digest
        write(context / "kept.json", manifest)
        assert read(context / "kept.json", type(manifest)) == manifest

    def test_a_latin_1_ignore_file_means_its_bytes(self, context):
        (context / "src" / "caf\udce9.py").write_text("1")
        (context / ".dockerignore").write_bytes(b"src/caf\xe9.*\nREADME\n")

        assert "src/caf\udce9.py" not in inputs_of(context).manifest.files

    def test_a_pattern_that_docker_refuses_is_named_with_file_and_line(self, context):
        (context / ".dockerignore").write_text("*.log\n[b-a]\n")

        with pytest.raises(UsageError) as caught:
            inputs_of(context)
        assert caught.value.message == f"{context / '.dockerignore'}:2: [b-a] is not a valid pattern"

    def test_a_pipe_is_refused_and_a_socket_is_left_out_as_docker_does(self, context):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(context / "src" / "s"))
            assert paths(context) == ["src/a.py"]
        os.mkfifo(context / "src" / "pipe")

        with pytest.raises(UsageError, match="src/pipe in the build context of image x is a fifo, not a regular file"):
            inputs_of(context)

    def test_a_file_that_cannot_be_read_is_named(self, context, monkeypatch):
        def refuse(*_):
            raise PermissionError(13, "Permission denied", str(context / "src" / "a.py"))

        monkeypatch.setattr(input_reader, "scan", refuse)
        with pytest.raises(UsageError) as caught:
            inputs_of(context)
        assert (caught.value.message, caught.value.reason) == (
            "src/a.py in the build context of image x cannot be read",
            "Permission denied",
        )

    @pytest.mark.parametrize(
        ("text", "settled"),
        [
            ('[project]\nname = "a"\nversion = "1"\n', True),
            ('[project]\nname = "a"\ndynamic = ["version"]\n', False),
            ("[tool.x]\n", False),
            ("nonsense", False),
        ],
    )
    def test_metadata_that_depends_on_files(self, tmp_path, text, settled):
        (tmp_path / "Dockerfile").write_text("FROM a\nWORKDIR /app\nCOPY . .\nRUN pip install -e .\n")
        (tmp_path / "pyproject.toml").write_text(text)
        assert inputs_of(tmp_path).settled is settled
        (tmp_path / "setup.py").touch()
        assert not inputs_of(tmp_path).settled


REPOSITORY = Path(__file__).parents[3]


class TestShortLoop:
    """Our own Dockerfiles, and those that we write for others, keep it."""

    @pytest.mark.parametrize(
        ("place", "target", "sync"),
        [
            (".", None, ("packages", "testing/base_classes", "tests")),
            ("seatrial/e2e/project", None, ("src", "tests")),
            ("seatrial/examples/orders-api", "tests", ("orders", "tests")),
            ("seatrial/benchmarks/ship", None, ("tests",)),
        ],
    )
    def test_of_this_repository(self, place, target, sync):
        root = REPOSITORY / place
        found = inputs_of(root, target=target)
        places = places_of(found.analysis, "/app", sync, found.manifest.files)
        rules = found.places("/app", places, found.manifest)

        assert places == sync
        tests = [(path, entry) for path, entry in found.manifest.files.items() if path.startswith("tests/")]
        assert tests
        assert {rules.refuses(path, entry, entry) for path, entry in tests} == {""}

    @pytest.mark.parametrize("installer", ["uv", "poetry", "pip"])
    def test_of_a_draft(self, tmp_path, installer):
        for name in ("src/shop/a.py", "tests/test_a.py"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()
        for name in ("pyproject.toml", "uv.lock", "poetry.lock", "requirements.txt"):
            (tmp_path / name).write_text('[project]\nname = "a"\nversion = "1"\n')
        found = detect(tmp_path)
        (tmp_path / "Dockerfile").write_text(dockerfile(replace(found, installer=installer)))
        inputs_now = inputs_of(tmp_path)

        assert places_of(inputs_now.analysis, "/app", ("src", "tests"), inputs_now.manifest.files) == ("src", "tests")
