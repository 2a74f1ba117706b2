from __future__ import annotations

from pathlib import Path

from seatrial.config import load
from seatrial.config.overrides import variables_in
from seatrial.config.source import Origin, Source

from .configurations import FULL, MINIMAL, refused


def test_set_addresses_array_elements_by_name_or_number(root):
    Path("seatrial.toml").write_text(FULL)
    Path("other.yaml").write_text("")
    settings = [
        "release.app.namespace=pr-42",
        "release.1.version=2.0",
        "service.api.port=8080",
        "service.api.ready.status=[200, 401]",
        "runner.command=pytest -k 's3 and not slow'",
        "cluster.config=other.yaml",
        "timeouts.run=1.5",
    ]

    loaded = load(settings=[(setting, "--set") for setting in settings], environ={}).project

    assert loaded.release[0].namespace == "pr-42"
    assert loaded.release[1].version == "2.0"
    assert loaded.service["api"].port == 8080
    assert loaded.service["api"].ready is not None
    assert loaded.service["api"].ready.status == (200, 401)
    assert loaded.runner.command == ("pytest", "-k", "s3 and not slow")
    assert loaded.cluster.config == root / "other.yaml"
    assert loaded.timeouts.run == 1.5


def test_seatrial_set_overrides_values_of_images_and_releases(root):
    Path("seatrial.toml").write_text(FULL)
    environ = {"SEATRIAL_SET": 'image.tests.args={ PYTHON = "3.14" }\n\nrelease.app.set={ "a.b" = "1" }\n'}

    loaded = load(environ=environ)

    assert loaded.project.image[0].args == {"PYTHON": "3.14"}
    assert loaded.project.release[0].set == {"a.b": "1"}
    assert loaded.sources["image", 0, "args"] == Source(Origin.ENVIRONMENT, "SEATRIAL_SET")


def test_variables_in_use_are_those_of_keys_and_seatrial_set():
    environ = {"SEATRIAL_SET": "a=b", "SEATRIAL_CLUSTER_NAME": "x", "SEATRIAL_KEEP": "always", "HOME": "/"}

    assert variables_in(environ) == {"SEATRIAL_CLUSTER_NAME": "x", "SEATRIAL_SET": "a=b"}


def test_invalid_overrides_are_reported_with_their_option_or_variable(root):
    settings = [
        "cluster.nmae=x",
        "release.apo.namespace=x",
        "release.7.namespace=x",
        "service.api.port=eighty",
        "justakey",
        "release=x",
        "runner.image.deeper=x",
    ]
    environ = {"SEATRIAL_CLUSTER_NMAE": "x", "SEATRIAL_LOCATION": "pod", "SEATRIAL_TIMEOUTS_RUN": "soon"}

    assert refused(FULL, settings=settings, environ=environ) == [
        "--set: 'justakey' is not KEY=VALUE; for example cluster.name=mine",
        "--set: cluster.nmae: unknown key; did you mean 'name'?",
        "--set: release: has no element 'apo'; did you mean 'app'?",
        "--set: release: has no element '7'; known: app, database",
        "--set: service.api.port: 'eighty' should be a whole number from 1 to 65535; write the value as in TOML",
        "--set: release: is a list, which one setting cannot replace; set its values one by one",
        "--set: runner.image.deeper: unknown key",
        "SEATRIAL_CLUSTER_NMAE: is not a variable of any key; did you mean 'SEATRIAL_CLUSTER_NAME'?",
        "SEATRIAL_TIMEOUTS_RUN: timeouts.run: 'soon' should be a number; write the value as in TOML",
    ]


def test_set_reports_a_table_of_the_wrong_shape_in_the_file(root):
    lines = refused("cluster = 3\n" + MINIMAL, settings=["cluster.name=x"])

    assert lines == [
        "--set: cluster.name: cluster is not a table in the file",
        "seatrial.toml:1: cluster: is 3, should be a table; write [cluster]",
    ]
