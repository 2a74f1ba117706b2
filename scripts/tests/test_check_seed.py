"""Test that the check of the seed map detects errors."""

from __future__ import annotations

import tomllib

import check_seed
import pytest

TABLE = """\
| row | patch | tests | |
|---|---|---|---|
| a | `testing/parity/dns-short.patch` | `tests/parity/test_dns.py::test_x`, `tests/x.py::A::test_y[z]` | |
| b | `testing/parity/dns-full.patch` | no test | fresh |
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("testing/k8s/nowhere.yaml", "does not exist"),
        ("testing/nowhere/*.py", "does not exist"),
        ("make test-nothing", "no target test-nothing"),
        ("tests/parity/test_dns.py::test_no_such", "has no test_no_such"),
        ("tests/parity/test_none.py::test_x", "does not exist"),
        (
            "charts/e2e/test_chart_on_cluster.py::TestInstallWithDefaults::test_no_such",
            "has no TestInstallWithDefaults::test_no_such",
        ),
    ],
)
def test_problem_of_missing_name_is_reported(name, says):
    assert says in check_seed.problem_of(name)


@pytest.mark.parametrize(
    "name",
    [
        "testing/k8s/kind-config.yaml",
        "make test-k8s KEEP=always",
        "tests/parity/test_dns.py::test_dns_full_name_resolves",
        "tests/parity/test_probes.py::test_chart_service_has_probe[jaeger-liveness_probe]",
        "charts/e2e/test_chart_on_cluster.py::TestInstallWithDefaults::test_data_and_passwords_survive_uninstall",
        "kubectl get pods -n floe",
        ".seatrial/runs/latest/logs/",
        "localhost",
    ],
)
def test_problem_of_existing_name_is_empty(name):
    assert check_seed.problem_of(name) == ""


def test_patch_rows_have_patch_and_tests():
    assert check_seed.patch_rows(TABLE) == [
        check_seed.Row("dns-short.patch", fresh=False, tests=("test_x", "A::test_y[z]")),
        check_seed.Row("dns-full.patch", fresh=True, tests=()),
    ]


def test_rows_of_tables_escaped_bar_does_not_end_cell():
    assert [cells for _, cells in check_seed.rows_of_tables("| a \\| b | c |")] == [["a | b", "c"]]


@pytest.fixture
def map_of(tmp_path, monkeypatch):
    def write(text):
        path = tmp_path / "seed-map.md"
        path.write_text(text)
        monkeypatch.setattr(check_seed, "MAP", path)

    return write


def test_check_map_unlisted_patch_is_reported(map_of):
    map_of(TABLE)

    found = list(check_seed.check_map())
    assert "testing/parity/secret-file.patch: missing in docs/seed-map.md" in found
    assert "docs/seed-map.md: dns-full.patch has no test that fails with it" in found


def test_check_map_patch_that_does_not_apply_is_reported(map_of, tmp_path, monkeypatch):
    (tmp_path / "dns-short.patch").write_text("--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-no such line\n+x\n")
    monkeypatch.setattr(check_seed, "PATCHES", tmp_path)
    map_of(TABLE)

    assert [
        line for line in check_seed.check_map() if line.startswith("testing/parity/dns-short.patch: does not apply: ")
    ]


def test_check_snippets_changed_snippet_is_reported(map_of):
    text = check_seed.MAP.read_text()
    map_of(text)
    assert list(check_seed.check_snippets()) == []

    map_of(text.replace('required_services = [("polaris", 8181)]', 'required_services = [("polaris", 8182)]'))
    assert list(check_seed.check_snippets()) == [
        "tests/seed/test_k8s_class.py: differs from the snippet in docs/seed-map.md"
    ]


def test_configuration_equals_seed():
    """The seed has two names for the release, `floe-infra` and `floe-infra-test`; this project has one."""
    told = tomllib.loads((check_seed.ROOT / "seatrial.toml").read_text())

    assert told["cluster"]["name"] == "floe-test"
    assert [image["name"] for image in told["image"]] == ["floe-test"]
    assert [(release["name"], release["namespace"]) for release in told["release"]] == [("floe-infra", "floe")]
    assert told["runner"]["pod"] == "test-runner"
    assert told["runner"]["command"] == ["uv", "run", "pytest", "tests/", "packages/*/tests/", "--cov", "-v"]
