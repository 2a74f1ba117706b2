"""Test reading of the machine's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundry import machine
from foundry.errors import FoundryError


def test_cache_follows_environment():
    assert machine.Cache.from_environment({"FOUNDRY_CACHE": "/c"}).root == Path("/c")
    assert machine.Cache.from_environment({"XDG_CACHE_HOME": "/x"}).root == Path("/x/foundry")
    assert machine.Cache.from_environment({"HOME": "/home/me"}).root == Path("/home/me/.cache/foundry")


def test_network_environment_has_only_proxies_and_indexes():
    found = machine.network_environment(
        {"HTTPS_PROXY": "http://proxy", "UV_DEFAULT_INDEX": "https://pypi.example", "SECRET": "x", "HOME": "/nowhere"}
    )

    assert found == {"HTTPS_PROXY": "http://proxy", "UV_DEFAULT_INDEX": "https://pypi.example"}


def test_network_environment_reads_pip_settings_for_uv(tmp_path):
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://pypi.example/simple\n")

    found = machine.network_environment({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "HOME": str(tmp_path)})

    assert found["PIP_INDEX_URL"] == "https://pypi.example/simple"
    assert found["UV_DEFAULT_INDEX"] == "https://pypi.example/simple"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", "deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main\n"),
        ("sources.list.d/debian.sources", "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n"),
    ],
)
def test_debian_uri_is_read_from_apt_sources(tmp_path, name, text):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "other.list").write_text("deb https://other.example/apt stable main\n")
    (tmp_path / name).write_text(text)

    assert machine.debian_uri("debian", tmp_path, {}) == "http://mirror.example/debian"


def test_debian_uri_environment_overrides_apt(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    environment = {"FOUNDRY_DEBIAN_MIRROR": "http://other.example/"}

    assert machine.debian_uri("debian", tmp_path, environment) == "http://other.example/debian"


def test_debian_uri_ubuntu_without_mirror_gives_hint(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu noble main\n")

    with pytest.raises(FoundryError, match="no mirror of debian-security configured") as raised:
        machine.debian_uri("debian-security", tmp_path, {})

    assert str(tmp_path) in raised.value.reason
    assert "FOUNDRY_DEBIAN_MIRROR=http://HOST foundry up" in raised.value.hint
    assert "sources.list.d" not in raised.value.hint


def test_why_no_root_file_system_ubuntu_without_mirror(tmp_path, monkeypatch):
    def unknown(archive: str) -> str:
        raise FoundryError(f"no mirror of {archive}", "", "set a mirror")

    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "is_debian", lambda: True)
    monkeypatch.setattr(machine, "debian_uri", unknown)

    assert machine.why_no_root_file_system() == "no mirror of debian; set a mirror"


def test_ca_digest_ignores_file_names(tmp_path):
    one, two = tmp_path / "a.crt", tmp_path / "b.crt"
    one.write_text("x")
    two.write_text("y")
    before = machine.ca_digest((one, two))
    one.rename(tmp_path / "z.crt")

    assert machine.ca_digest((tmp_path / "z.crt", two)) == before
    assert machine.ca_digest((two,)) != before


@pytest.mark.parametrize(
    ("release", "debian"),
    [("ID=debian\n", True), ('ID=ubuntu\nID_LIKE="debian"\n', True), ("ID=fedora\n", False), ("", False)],
)
def test_is_debian_detects_derivatives(tmp_path, release, debian):
    (tmp_path / "os-release").write_text(release)

    assert machine.is_debian(tmp_path / "os-release") is debian


def test_install_does_nothing_if_present():
    def run(*_: object, **__: object) -> str:
        raise AssertionError

    machine.install("mc", unless="/usr/bin/mc", run=run)


def test_install_unsupported_machine_names_package(monkeypatch):
    monkeypatch.setattr(machine, "is_debian", lambda: False)

    with pytest.raises(FoundryError) as refused:
        machine.install("debootstrap", unless=None, run=lambda *_, **__: "")

    assert "debootstrap" in refused.value.message
    assert "install debootstrap" in refused.value.hint


def test_architecture_unknown_processor_is_an_error(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    with pytest.raises(FoundryError, match="riscv64"):
        machine.architecture()


def test_delete_build_cache_keeps_modules(tmp_path):
    cache = machine.Cache(tmp_path)
    compiled, module = cache.go_build / "00" / "aa-d", cache.go_mod / "example.org" / "it@v1.0.0" / "it.go"
    download = cache.go_mod / "cache" / "download" / "example.org" / "it" / "@v"
    for file in (compiled, module, download / "v1.0.0.zip", download / "v1.0.0.ziphash"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")

    cache.delete_build_cache()
    cache.delete_build_cache()

    assert not cache.go_build.exists()
    assert module.exists()
    assert [file.name for file in download.iterdir()] == ["v1.0.0.ziphash"]


@pytest.mark.parametrize(("size", "stays"), [(100, True), (101, False)])
def test_limit_build_cache_deletes_above_limit(tmp_path, size, stays):
    cache = machine.Cache(tmp_path)
    compiled = cache.go_build / "00" / "aa-d"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(bytes(size))

    cache.limit_build_cache(100)

    assert compiled.exists() is stays
