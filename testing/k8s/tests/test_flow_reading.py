"""What is read out of manifests, kind's configuration, image names and the command line."""

import socket
from pathlib import Path

import pytest
from flow.cluster import busy_ports, expected_nodes, images_in, node_images
from flow.engine import split
from flow.errors import USAGE, Failure
from flow.measure import MEMORY_LIMIT, against, available
from flow.settings import Keep, parse

ROOT = Path(__file__).parents[3]


def test_the_repositorys_own_kind_configuration_is_understood():
    config = ROOT / "testing" / "k8s" / "kind-config.yaml"

    assert expected_nodes(config) == 2
    assert node_images(config) == ["foundry/node:v1.34.4"]


def test_a_port_somebody_has_is_found(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = tmp_path / "kind.yaml"
        config.write_text(f"nodes:\n  - role: control-plane\n    extraPortMappings:\n      - hostPort: {port}\n")

        assert busy_ports(config) == [port]

    assert busy_ports(config) == []


def test_images_are_found_quoted_or_not_and_each_once():
    manifest = """
      containers:
        - image: "shop/web:7"
          name: web
        - name: db
          image: shop/db@sha256:abc   # pinned
        - image: 'shop/web:7'
      # image: not/this:1
    """

    assert images_in(manifest) == ["shop/web:7", "shop/db@sha256:abc"]


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("floe-test:1", ("library/floe-test", "1")),
        ("floe-test", ("library/floe-test", "latest")),
        ("foundry/node:v1", ("foundry/node", "v1")),
    ],
)
def test_a_name_without_a_host_is_docker_hubs(image, parts):
    assert split(image) == parts


@pytest.mark.parametrize("image", ["quay.io/a/b:1", "localhost/a:1"])
def test_a_name_with_a_host_is_refused(image):
    with pytest.raises(Failure, match="another registry"):
        split(image)


def test_the_environment_and_the_command_line_choose():
    settings = parse(
        ["--values", str(ROOT / "pyproject.toml"), "--", "uv", "run", "pytest", "-k", "s3"],
        {"KEEP": "on-failure", "CLUSTER_NAME": "other", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"},
        ROOT,
    )

    assert settings.keep is Keep.ON_FAILURE
    assert settings.command == ("uv", "run", "pytest", "-k", "s3")
    assert settings.values[-1] == ROOT / "pyproject.toml"
    assert settings.registry == "other-registry"
    assert settings.kubeconfig == Path("/s/floe/other.kubeconfig")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--no-such-option"], {}),
        ([], {"KEEP": "sometimes"}),
        (["--values", "/no/such/file"], {}),
        ([], {"KIND_CONFIG": "/no/such/file"}),
    ],
)
def test_what_is_wrong_before_anything_is_created_has_its_own_code(arguments, environment):
    with pytest.raises(Failure) as caught:
        parse(arguments, environment, ROOT)

    assert caught.value.code == USAGE


def test_memory_is_read_where_linux_tells_it(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")

    assert available(meminfo) == 2 * 1024 * 1024
    assert available(tmp_path / "absent") is None


def test_a_size_is_held_against_its_limit():
    assert "within 4 GB" in against(MEMORY_LIMIT, 4 * 10**9)
    assert "OVER 4 GB" in against(MEMORY_LIMIT, 4 * 10**9 + 10**8)
    assert against(MEMORY_LIMIT, None) == "not measured here"
