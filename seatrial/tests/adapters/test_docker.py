"""What we ask of the engine, and how we read its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from seatrial.adapters.docker import IMAGE_LABEL, DockerEngine
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.deadline import Deadline
from seatrial.model.errors import CommandFailed, EnvironmentFailed, UsageError
from seatrial.model.names import canonical
from seatrial.model.spec import ImageSpec

IMAGE = {
    "Id": "sha256:aa",
    "RepoTags": ["shop-test:1"],
    "RepoDigests": ["shop-test@sha256:bb"],
    "Size": 42,
    "Config": {"Labels": {"a": "b"}, "WorkingDir": "/app", "Env": ["PATH=/bin", "odd"], "User": "1000:1000"},
}


def engine(**answers):
    processes = FakeProcesses({words.replace("_", " "): answer for words, answer in answers.items()})
    return DockerEngine(processes), processes


def silent(text):
    del text


@pytest.mark.parametrize(
    ("reference", "whole"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:17", "docker.io/library/postgres:17"),
        ("team/python:3.13", "docker.io/team/python:3.13"),
        ("docker.io/postgres:17", "docker.io/library/postgres:17"),
        ("index.docker.io/library/postgres", "docker.io/library/postgres:latest"),
        ("localhost/it", "localhost/it:latest"),
        ("localhost:5001/it:1", "localhost:5001/it:1"),
        ("ghcr.io/a/b@sha256:aa", "ghcr.io/a/b@sha256:aa"),
        ("a/b:1@sha256:aa", "docker.io/a/b:1@sha256:aa"),
    ],
)
def test_canonical_adds_registry_repository_and_tag(reference, whole):
    assert canonical(reference) == whole


def test_info_has_the_capacity_of_an_engine_on_this_machine(tmp_path):
    answer = {"ServerVersion": "20.10.24", "NCPU": 4, "MemTotal": 8 << 30, "DockerRootDir": str(tmp_path)}
    info = engine(docker_info=Answer(stdout=json.dumps(answer)))[0].info()

    assert (info.version, info.cpus, info.memory) == ("20.10.24", 4, 8 << 30)
    assert info.free_disk > 0
    assert info.free_memory > 0


def test_free_memory_and_disk_of_an_engine_on_another_machine_are_unknown():
    answer = {"ServerVersion": "29.0", "NCPU": 4, "MemTotal": 8 << 30, "DockerRootDir": "/nowhere/docker"}
    info = engine(docker_info=Answer(stdout=json.dumps(answer)))[0].info()

    assert (info.cpus, info.free_memory, info.free_disk) == (4, 0, None)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(code=1, stderr="warning\nCannot connect to the Docker daemon"),
        Answer(stdout='{"ServerErrors": ["Cannot connect to the Docker daemon"]}'),
        Answer(stdout="{", stderr="Cannot connect to the Docker daemon"),
    ],
)
def test_info_fails_if_the_engine_does_not_answer(answer):
    with pytest.raises(UsageError) as caught:
        engine(docker_info=answer)[0].info()
    assert caught.value.reason == "Cannot connect to the Docker daemon"


def test_disk_usage_counts_shared_layers_once():
    """The steps of a common base count once, also where one of them makes an empty layer, as WORKDIR does."""
    # As `docker history` tells them: newest first.
    base = [("0", "WORKDIR /app"), ("100", "ADD rootfs.tar /")]
    steps = {
        "base:1": base,
        "one:1": [("0", "ENV A=b"), ("5", "COPY one /"), *base],
        "two:1": [("7", "COPY two /"), *base],
        "odd:1": [("1000", "ADD other.tar /")],
    }
    told = {
        name: "\n".join(json.dumps({"Size": size, "CreatedBy": by, "CreatedAt": "2026-01-01"}) for size, by in lines)
        for name, lines in steps.items()
    }
    history = "docker history --no-trunc --human=false --format {{.|json}} sha256:"
    it, _ = engine(
        # Exit code 1: one of them is not there.
        docker_image_inspect=Answer(code=1, stdout=json.dumps([{"Id": f"sha256:{name}"} for name in steps])),
        **{f"{history}{name}": Answer(stdout=lines) for name, lines in told.items()},
    )

    assert it.disk_usage([*steps, "none:1"]) == 100 + 5 + 7 + 1000


TAGS = ["a" * 12, "b" * 12, "c" * 12, "d" * 12]


def test_prune_keeps_the_newest_images():
    """Newest first; one that a container uses cannot go, and that is no fault of ours. Names of the user stay."""
    four, three, two, one = (f"shop:{tag}" for tag in TAGS)
    it, processes = engine(
        docker_image_ls=Answer(
            stdout=f"{four}\nmine:1\n{three}\n<none>:<none>\nshop:latest\n{two}\nmy/shop:{TAGS[0]}\n{one}\n"
        ),
        **{f"docker rmi {two}": Answer(code=1, stderr="in use"), f"docker rmi {one}": Answer()},
    )

    it.prune({"project": "a", IMAGE_LABEL: "shop"}, keep=2)

    assert [words[2:] for words in processes.ran if words[1] == "rmi"] == [(two,), (one,)]
    (listed,) = [words for words in processes.ran if words[1] == "image"]
    assert listed[3:7] == ("--filter", "label=project=a", "--filter", f"label={IMAGE_LABEL}=shop")


def test_prune_keeps_the_excluded_image():
    tags = [f"shop:{digit * 12}" for digit in "321"]
    it, processes = engine(docker_image_ls=Answer(stdout="\n".join(tags)), docker_rmi=Answer())

    it.prune({IMAGE_LABEL: "shop"}, keep=1, exclude=tags[2])

    assert [words[2:] for words in processes.ran if words[1] == "rmi"] == [(tags[1],)]


def test_inspect_finds_images_by_name_digest_and_id():
    # Exit code 1: one of them is not there. The others are told all the same.
    it, _ = engine(docker_image_inspect=Answer(code=1, stdout=json.dumps([IMAGE])))
    found = it.inspect(["docker.io/library/shop-test:1", "shop-test@sha256:bb", "sha256:aa", "none:1"])

    assert set(found) == {"docker.io/library/shop-test:1", "shop-test@sha256:bb", "sha256:aa"}
    image = found["sha256:aa"]
    assert (image.digest, image.size, image.workdir, image.user) == ("sha256:aa", 42, "/app", "1000:1000")
    assert image.env == {"PATH": "/bin"}


def test_inspect_without_references_runs_no_command():
    it, processes = engine()

    assert it.inspect([]) == {}
    assert processes.ran == []


def test_inspect_accepts_an_image_without_configuration():
    it, _ = engine(docker_image_inspect=Answer(stdout=json.dumps([{"Id": "sha256:aa", "Config": None}])))

    assert it.inspect(["sha256:aa"])["sha256:aa"].workdir == "/"


def build(it, spec, progress=silent, tmp_path=None):
    return it.build(
        spec,
        "shop-test:1",
        labels={"k": "v"},
        deadline=Deadline.after(5),
        log=tmp_path / "build.log",
        progress=progress,
    )


def test_build_passes_arguments_secrets_and_labels(tmp_path):
    steps = []
    it, processes = engine(
        docker_buildx=Answer(code=1),
        docker_build=Answer(stdout="Step 1/2 : FROM x\n ---> aa\n", stderr="#7 [2/2] RUN y\n#7 DONE\n"),
        docker_image_inspect=Answer(stdout=json.dumps([IMAGE])),
    )
    spec = ImageSpec(name="shop-test", context=tmp_path, args={"A": "b"}, target="tests")

    assert build(it, spec, steps.append, tmp_path).digest == "sha256:aa"
    assert processes.ran[1] == (
        *("docker", "build", "--tag", "shop-test:1", "--file", str(tmp_path / "Dockerfile")),
        *("--label", "k=v", "--build-arg", "A", "--target", "tests", str(tmp_path)),
    )
    assert steps == ["Step 1/2 : FROM x", "[2/2] RUN y"]


def test_build_loads_the_image_from_a_builder_container(tmp_path):
    """With buildx the current builder may be a container of its own, which keeps what it built."""
    it, processes = engine(docker_buildx=Answer(), docker_image_inspect=Answer(stdout=json.dumps([IMAGE])))
    real = processes.run
    environments: list[Any] = []

    def run(argv, **options):
        environments.append(options.get("env"))
        return real(argv, **options)

    processes.run = run
    build(it, ImageSpec(name="shop-test", context=tmp_path), tmp_path=tmp_path)

    assert processes.ran[1][:6] == ("docker", "buildx", "build", "--load", "--tag", "shop-test:1")
    assert environments[1]["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1", "else no two builds are the same image"


def test_build_uses_the_classic_builder_if_buildkit_is_off(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    it, processes = engine(docker_build=Answer(), docker_image_inspect=Answer(stdout=json.dumps([IMAGE])))

    build(it, ImageSpec(name="shop-test", context=tmp_path), tmp_path=tmp_path)

    assert processes.ran[0][:3] == ("docker", "build", "--tag")


def test_failed_build_names_the_image(tmp_path):
    it, _ = engine(
        docker_buildx=Answer(code=1), docker_build=Answer(code=1, stdout="Step 1/1 : RUN x\n", stderr="x: not found\n")
    )

    with pytest.raises(CommandFailed) as caught:
        build(it, ImageSpec(name="shop-test", context=tmp_path), tmp_path=tmp_path)
    assert (caught.value.message, caught.value.reason) == ("the build of image shop-test failed", "x: not found")


@pytest.mark.parametrize(("there", "hint"), [([IMAGE], True), ([], False)], ids=["on-the-engine", "nowhere"])
def test_build_names_the_builder_that_cannot_use_an_image_of_the_engine(tmp_path, there, hint):
    error = (
        "ERROR: failed to solve: shop-test:1: failed to resolve source metadata for docker.io/library/shop-test:1: no"
    )
    it, _ = engine(
        docker_buildx_version=Answer(),
        docker_buildx_build=Answer(code=1, stderr=error),
        docker_image_inspect=Answer(stdout=json.dumps(there)),
    )

    with pytest.raises(CommandFailed) as caught:
        build(it, ImageSpec(name="shop-test", context=tmp_path), tmp_path=tmp_path)
    assert ("BUILDX_BUILDER=default" in caught.value.hint) is hint


def test_build_without_an_image_fails(tmp_path):
    it, _ = engine(docker_buildx=Answer(), docker_image_inspect=Answer(code=1, stdout="[]"))

    with pytest.raises(EnvironmentFailed):
        build(it, ImageSpec(name="shop-test", context=tmp_path), tmp_path=tmp_path)


def test_build_secrets_require_buildx(tmp_path):
    spec = ImageSpec(name="shop-test", context=tmp_path, secrets=("id=token,env=TOKEN",))
    without, _ = engine(docker_buildx=Answer(code=1))
    with pytest.raises(UsageError) as caught:
        build(without, spec, tmp_path=tmp_path)
    assert "buildx" in caught.value.hint

    it, processes = engine(docker_buildx=Answer(), docker_image_inspect=Answer(stdout=json.dumps([IMAGE])))
    build(it, spec, tmp_path=tmp_path)
    assert processes.ran[1][-3:-1] == ("--secret", "id=token,env=TOKEN")


def test_push_removes_the_target_name():
    it, processes = engine(
        docker=Answer(), docker_image_inspect=Answer(code=1), docker_push=Answer(code=1, stderr="denied")
    )

    with pytest.raises(CommandFailed):
        it.push("a:1", "localhost:5001/a:1", deadline=Deadline.after(5), progress=silent)
    assert [words[1] for words in processes.ran] == ["image", "tag", "push", "rmi"]


def test_stopped_push_removes_the_target_name():
    it, processes = engine(docker=Answer(), docker_image_inspect=Answer(code=1))
    processes._answers[("docker", "push")] = Answer(code=-15, does=lambda _: processes.stop())

    with pytest.raises(CommandFailed):
        it.push("a:1", "localhost:5001/a:1", deadline=Deadline.after(5), progress=silent)
    assert processes.ran[-1] == ("docker", "rmi", "--no-prune", "localhost:5001/a:1")


def test_push_restores_the_target_name_of_the_user():
    theirs = {"Id": "sha256:theirs", "RepoTags": ["registry.example.com/a:1"]}
    it, processes = engine(docker=Answer(), docker_image_inspect=Answer(stdout=json.dumps([theirs])))
    it.push("a:1", "registry.example.com/a:1", deadline=Deadline.after(5), progress=silent)

    assert [words[1:] for words in processes.ran if words[1] in ("tag", "rmi")] == [
        ("tag", "a:1", "registry.example.com/a:1"),
        ("tag", "sha256:theirs", "registry.example.com/a:1"),
    ]


def test_container_inspection_and_removal():
    it, processes = engine(docker_container=Answer(stdout='[{"Id": "aa"}]'), docker_rm=Answer())

    assert it.container("x") == {"Id": "aa"}
    it.remove_containers(["x", "y"], deadline=Deadline.after(5))
    it.remove_containers([], deadline=Deadline.after(5))
    assert processes.ran[1:] == [("docker", "rm", "--force", "--volumes", "x", "y")]


def test_missing_container_is_none():
    assert engine(docker_container=Answer(code=1, stdout="[]"))[0].container("x") is None


def test_delete_cache_deletes_volume_and_images():
    it, processes = engine(
        docker_volume=Answer(), docker_image_ls=Answer(stdout="a:1\nb:2\n<none>:<none>\n"), docker_rmi=Answer()
    )

    assert it.delete_cache(volume="v", label="l", images={"a:1", "gone:1"}) == ["v", "a:1"]
    assert [words for words in processes.ran if words[1] == "rmi"] == [("docker", "rmi", "a:1")], (
        "b:2 is another user's"
    )


def test_delete_cache_keeps_images_in_use():
    it, _ = engine(docker_volume=Answer(code=1), docker_image_ls=Answer(stdout="a:1\n"), docker_rmi=Answer(code=1))

    assert it.delete_cache(volume="v", label="l", images={"a:1"}) == []
