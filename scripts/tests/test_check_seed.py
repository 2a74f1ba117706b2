"""The check of the seed map would be content with anything if it looked at nothing."""

from __future__ import annotations

import tomllib

import check_seed
import pytest

TABLE = """\
| row | patch | tests | |
|---|---|---|---|
| a | `testing/parity/dns-short.patch` | `tests/parity/test_dns.py::test_the_full_name`, `tests/x.py::A::test_y[z]` | |
| b | `testing/parity/dns-full.patch` | no test | fresh |
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("testing/k8s/nowhere.yaml", "is not there"),
        ("testing/nowhere/*.py", "is not there"),
        ("make test-nothing", "no target test-nothing"),
        ("tests/parity/test_dns.py::test_no_such", "has no test_no_such"),
        ("tests/parity/test_none.py::test_x", "is not there"),
        ("charts/e2e/test_chart_on_cluster.py::TestAsShipped::test_no_such", "has no TestAsShipped::test_no_such"),
    ],
)
def test_what_is_not_there_is_named(name, says):
    assert says in check_seed.complaint(name)


@pytest.mark.parametrize(
    "name",
    [
        "testing/k8s/kind-config.yaml",
        "make test-k8s KEEP=always",
        "tests/parity/test_dns.py::test_the_full_name",
        "tests/parity/test_probes.py::test_each_service_has_each_probe[jaeger-liveness_probe]",
        "charts/e2e/test_chart_on_cluster.py::TestAsShipped::test_data_and_passwords_outlive_the_release",
        "kubectl get pods -n floe",
        ".seatrial/runs/latest/logs/",
        "localhost",
    ],
)
def test_what_is_there_is_not(name):
    assert check_seed.complaint(name) == ""


def test_rows_have_their_patch_and_tests():
    assert check_seed.patch_rows(TABLE) == [
        check_seed.Row("dns-short.patch", fresh=False, tests=("test_the_full_name", "A::test_y[z]")),
        check_seed.Row("dns-full.patch", fresh=True, tests=()),
    ]


def test_a_bar_in_a_command_is_no_end_of_a_cell():
    assert [cells for _, cells in check_seed.rows_of_tables("| a \\| b | c |")] == [["a | b", "c"]]


@pytest.fixture
def map_of(tmp_path, monkeypatch):
    def write(text):
        path = tmp_path / "seed-map.md"
        path.write_text(text)
        monkeypatch.setattr(check_seed, "MAP", path)

    return write


def test_a_patch_that_nobody_names_is_named(map_of):
    map_of(TABLE)

    found = list(check_seed.check_map())
    assert "testing/parity/secret-file.patch: no row of docs/seed-map.md names it" in found
    assert "docs/seed-map.md: dns-full.patch names no test that it turns red" in found


def test_a_patch_that_does_not_apply_is_named(map_of, tmp_path, monkeypatch):
    (tmp_path / "dns-short.patch").write_text("--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-no such line\n+x\n")
    monkeypatch.setattr(check_seed, "PATCHES", tmp_path)
    map_of(TABLE)

    assert [
        line for line in check_seed.check_map() if line.startswith("testing/parity/dns-short.patch: does not apply: ")
    ]


def test_a_snippet_that_was_changed_is_named(map_of):
    text = check_seed.MAP.read_text()
    map_of(text)
    assert list(check_seed.check_snippets()) == []

    map_of(text.replace('required_services = [("polaris", 8181)]', 'required_services = [("polaris", 8182)]'))
    assert list(check_seed.check_snippets()) == [
        "tests/seed/test_k8s_class.py: differs from the seed's words in docs/seed-map.md"
    ]


def test_configuration_says_what_the_seed_says():
    """One name for each: the seed calls the release `floe-infra` in one place and `floe-infra-test` in another."""
    told = tomllib.loads((check_seed.ROOT / "seatrial.toml").read_text())

    assert told["cluster"]["name"] == "floe-test"
    assert [image["name"] for image in told["image"]] == ["floe-test"]
    assert [(release["name"], release["namespace"]) for release in told["release"]] == [("floe-infra", "floe")]
    assert told["runner"]["pod"] == "test-runner"
    assert told["runner"]["command"] == ["uv", "run", "pytest", "tests/", "packages/*/tests/", "--cov", "-v"]
