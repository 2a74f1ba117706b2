"""Test builds and pulls of images on a real engine."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest
from docker_cli import docker, inspect

BUILD = """
root = b.scratch / "root"
root.mkdir()
(root / "hello").write_text("hello")
b.image_import(root, changes=['CMD ["/hello"]', "ENV GREETING=hello"])
"""


def table(name: str, **more: str) -> str:
    facts = {"kind": '"image"', "version": '"1"', "setup": "true", "values": '["greeter.image"]', **more}
    lines = "\n".join(f"{key} = {value}" for key, value in facts.items())
    return f"\n[artifact.{name}]\n{lines}\n"


def module(name: str) -> str:
    return name.replace("-", "_")


def test_build_image_has_labels_and_chart_values(project, name):
    project.write(
        table(name, options='{ labels = { "com.example.note" = "a \\"quoted\\" note" } }'), **{module(name): BUILD}
    )

    project.run("up")
    config = inspect(f"foundry.invalid/{name}:1")["Config"]

    assert config["Labels"]["dev.seatrial.foundry.origin"] == "recipe"
    assert len(config["Labels"]["dev.seatrial.foundry.key"]) == 64
    assert config["Labels"]["com.example.note"] == 'a "quoted" note'
    assert config["Cmd"] == ["/hello"]
    assert "GREETING=hello" in config["Env"]
    assert (project.root / ".foundry" / "values-images.yaml").read_text().splitlines()[1:] == [
        "greeter:",
        "  image:",
        f'    repository: "foundry.invalid/{name}"',
        '    tag: "1"',
    ]


def test_image_commit_adds_layer_without_environment(project, name):
    base = """
    context = b.scratch / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("ARG FROM\\nFROM $FROM\\nRUN echo base >/base\\nUSER 7\\n")
    b.image_build(context, args={"FROM": "foundry.invalid/registry:2"})
    """
    top = f"""
    with b.container(b.ref("{name}-base"), env={{"SECRET": "s"}}) as c:
        c.sh('test "$SECRET" = s && cat /base > /made && id -u >> /made')
        b.image_commit(c, changes=["ENV ADDED=1"])
    """
    inputs = f'["{name}-base"]'
    project.write(
        table(name, inputs=inputs) + table(f"{name}-base", setup="false", values="[]"),
        **{module(name): top, module(f"{name}-base"): base},
    )

    project.run("up")

    config = inspect(f"foundry.invalid/{name}:1")["Config"]
    assert (config["User"], config["Entrypoint"]) == ("7", ["registry", "serve"])
    assert config["Cmd"] == ["/etc/docker/registry/config.yml"]
    assert "ADDED=1" in config["Env"]
    assert not [one for one in config["Env"] if "SECRET" in one]
    assert docker("run", "--rm", "--entrypoint=cat", f"foundry.invalid/{name}:1", "/made") == "base\n0"


def test_up_foreign_image_of_same_name_is_replaced(project, name):
    project.write(table(name), **{module(name): BUILD})
    project.run("up")
    docker("tag", "foundry.invalid/registry:2", f"foundry.invalid/{name}:1")

    assert "stale" in project.run("status", status=1).stdout
    assert f"{name}: built" in project.run("up").stderr
    assert inspect("foundry.invalid/registry:2")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_up_killed_image_build_is_cleaned_up_by_next_build(project, name, sign):
    mark = project.root / "half"
    body = f"""
with b.container("foundry.invalid/registry:2") as c:
    c.sh("echo half > /half")
    Path({str(mark)!r}).touch()
    if not Path({str(mark)!r} + ".go").exists():
        b.run(["sleep", "60"])
    b.image_commit(c)
"""
    project.write(table(name), **{module(name): body})
    running = project.start("up")
    while not mark.exists() and running.poll() is None:
        time.sleep(0.05)

    running.send_signal(sign)
    running.communicate(timeout=60)

    assert docker("image", "ls", "--quiet", f"foundry.invalid/{name}") == ""
    mark.with_name("half.go").touch()
    project.run("up")
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}") == ""
    assert inspect(f"foundry.invalid/{name}:1")["Config"]["Entrypoint"] == ["registry", "serve"]


# -- registries --------------------------------------------------------------------------------------------------------


def test_push_image_is_pulled_on_another_machine(project, name, registry):
    project.write(table(name), **{module(name): BUILD})
    project.run("up")
    pushed = project.run("push", f"{registry}/ci").stdout.strip()
    project.run("clean", name)

    told = project.run("up", FOUNDRY_REGISTRY=f"{registry}/ci")

    assert pushed.startswith(f"{registry}/ci/foundry/{name}:1-")
    assert f"foundry.invalid/{name}:1: pulled {pushed}@sha256:" in told.stderr
    assert "building" not in told.stderr
    assert inspect(f"foundry.invalid/{name}:1")["RepoTags"] == [f"foundry.invalid/{name}:1"]
    assert f"{pushed}@sha256:" in project.run("status").stdout


def test_up_pushed_image_of_other_recipe_is_not_pulled(project, name, registry):
    project.write(table(name), **{module(name): BUILD})
    project.run("up")
    project.run("push", registry)
    project.run("clean", name)
    project.write(table(name), **{module(name): BUILD.replace('"hello")', '"other")')})

    assert f"{name}: built" in project.run("up", FOUNDRY_REGISTRY=registry).stderr


@pytest.fixture
def upstream(name: str, registry: str, small_image: str) -> tuple[str, str]:
    """Provide an upstream image in a registry, and its digest."""
    ref = f"{registry}/{name}/upstream:1"
    docker("tag", small_image, ref)
    docker("push", "--quiet", ref)
    digest = next(one for one in inspect(ref)["RepoDigests"] if one.startswith(f"{registry}/{name}")).partition("@")[2]
    docker("image", "rm", ref)
    return ref, digest


def test_up_upstream_image_is_pulled_by_digest_under_foundry_name(project, name, upstream):
    ref, digest = upstream
    pinned = f'{{ amd64 = "{digest}", arm64 = "{digest}" }}'
    project.write(table(name, upstream=f'"{ref}"', digests=pinned), **{module(name): BUILD})

    told = project.run("up")

    assert f"pulled {ref.rpartition(':')[0]}@{digest}" in told.stderr
    assert ref not in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    assert "building" not in project.run("up").stderr


def test_up_upstream_image_without_digest_reports_pulled_digest(project, name, upstream):
    ref, digest = upstream
    project.write(table(name, upstream=f'"{ref}"'), **{module(name): BUILD})

    assert f"pulled {ref}@{digest}" in project.run("up").stderr
    assert ref not in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")


def test_up_changed_upstream_is_pulled_again(project, name, upstream, small_image):
    ref, _ = upstream
    project.write(table(name, upstream=f'"{ref}"'), **{module(name): BUILD}).run("up")
    docker("tag", small_image, f"{ref}.1")
    docker("push", "--quiet", f"{ref}.1")
    docker("image", "rm", f"{ref}.1")
    project.write(table(name, upstream=f'"{ref}.1"'), **{module(name): BUILD})

    assert f"pulled {ref}.1@" in project.run("up").stderr


def test_up_refresh_replaces_built_image(project, name, upstream):
    ref, _ = upstream
    project.write(table(name, upstream=f'"{ref}"'), **{module(name): BUILD})
    project.run("build", name)

    assert "pulled" not in project.run("up").stderr
    assert f"pulled {ref}@" in project.run("up", "--refresh").stderr


def test_up_mirror_is_used_before_upstream(project, name, upstream, registry):
    ref, digest = upstream
    path = ref.partition("/")[2]
    project.write(table(name, upstream=f'"registry.invalid/{path}"'), **{module(name): BUILD})

    assert f"pulled {registry}/{path}@{digest}" in project.run("up", FOUNDRY_REGISTRY=registry).stderr


def test_up_image_missing_in_registry_is_built(project, name, registry):
    project.write(table(name, upstream=f'"{registry}/{name}/nothing:1"'), **{module(name): BUILD})

    told = project.run("up").stderr

    assert f"{name}: built" in told
    assert "does not answer" not in told


@pytest.fixture
def silent() -> object:
    """Provide the address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"localhost:{server.getsockname()[1]}"


def test_up_silent_registry_is_tried_once(project, name, silent):
    project.write(
        table(name, upstream=f'"{silent}/a:1"') + table(f"{name}-2", upstream=f'"{silent}/b:1"', values="[]"),
        **{module(name): BUILD, module(f"{name}-2"): BUILD},
    )
    told = project.run("up").stderr

    assert told.count(f"{silent} accepts connections but has not answered yet") == 1
    assert told.count(f"skipping registry {silent}") == 1
    assert told.count(": built") == 2


def test_up_stand_in_replaces_unavailable_image_and_is_reported(project, name):
    real = table(
        "real",
        recipe="false",
        upstream='"localhost:1/real:1"',
        stand_in=f'"{name}"',
        flags='{ "greeter.standIn" = false }',
    )
    double = table(name, setup="false", flags='{ "greeter.standIn" = true }')
    project.write(real + double, **{module(name): BUILD})

    first = project.run("up")
    began = time.monotonic()
    second = project.run("up")

    assert f"real: not available here, using stand-in {name}" in first.stderr
    assert time.monotonic() - began < 30, "a stand-in is not searched again"
    assert "building" not in second.stderr
    values = (project.root / ".foundry" / "values-images.yaml").read_text()
    assert "standIn: true" in values
    assert f'repository: "foundry.invalid/{name}"' in values
    assert f"stand-in {name}" in project.run("status").stdout


def test_up_unreachable_chosen_engine_is_an_error(project, name):
    project.write(table(name), **{module(name): BUILD})

    told = project.run("up", status=1, FOUNDRY_DOCKER_HOST="unix:///nowhere/docker.sock").stderr

    assert "no Docker engine answers" in told
    assert "unset DOCKER_HOST" in told
    assert not Path("/nowhere").exists()
