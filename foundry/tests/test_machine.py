"""What is read from the machine's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundry import machine
from foundry.errors import FoundryError


def test_the_cache_is_where_it_is_asked_to_be():
    assert machine.Cache.from_environment({"FOUNDRY_CACHE": "/c"}).root == Path("/c")
    assert machine.Cache.from_environment({"XDG_CACHE_HOME": "/x"}).root == Path("/x/foundry")
    assert machine.Cache.from_environment({"HOME": "/home/me"}).root == Path("/home/me/.cache/foundry")


def test_proxies_and_indexes_are_passed_on_and_nothing_else():
    found = machine.network_environment(
        {"HTTPS_PROXY": "http://proxy", "UV_DEFAULT_INDEX": "https://pypi.example", "SECRET": "x", "HOME": "/nowhere"}
    )

    assert found == {"HTTPS_PROXY": "http://proxy", "UV_DEFAULT_INDEX": "https://pypi.example"}


def test_pips_settings_file_is_read_and_told_to_uv(tmp_path):
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
def test_debians_mirror_is_the_one_apt_uses(tmp_path, name, text):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "other.list").write_text("deb https://other.example/apt stable main\n")
    (tmp_path / name).write_text(text)

    assert machine.debian_uri("debian", tmp_path, {}) == "http://mirror.example/debian"


def test_mirror_of_the_environment_comes_before_those_of_apt(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    environment = {"FOUNDRY_DEBIAN_MIRROR": "http://other.example/"}

    assert machine.debian_uri("debian", tmp_path, environment) == "http://other.example/debian"


def test_ubuntu_without_a_debian_mirror_is_told_to_name_one_to_foundry_alone(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu noble main\n")

    with pytest.raises(FoundryError, match="name none of debian-security") as raised:
        machine.debian_uri("debian-security", tmp_path, {})

    assert str(tmp_path) in raised.value.why
    assert "FOUNDRY_DEBIAN_MIRROR=http://HOST foundry up" in raised.value.try_
    assert "sources.list.d" not in raised.value.try_


def test_root_on_ubuntu_without_a_debian_mirror_builds_nothing(tmp_path, monkeypatch):
    def unknown(archive: str) -> str:
        raise FoundryError(f"no Debian mirror is known: {archive}", "", "name a mirror")

    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "is_debian", lambda: True)
    monkeypatch.setattr(machine, "debian_uri", unknown)

    assert machine.no_root_file_systems() == "no Debian mirror is known: debian; name a mirror"


def test_the_ca_digest_is_of_the_certificates_not_of_their_names(tmp_path):
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
def test_debian_and_its_children_are_known(tmp_path, release, debian):
    (tmp_path / "os-release").write_text(release)

    assert machine.is_debian(tmp_path / "os-release") is debian


def test_nothing_is_installed_when_it_is_there():
    def run(*_: object, **__: object) -> str:
        raise AssertionError

    machine.install("mc", unless="/usr/bin/mc", run=run)


def test_where_nothing_can_be_installed_the_package_is_named(monkeypatch):
    monkeypatch.setattr(machine, "is_debian", lambda: False)

    with pytest.raises(FoundryError) as refused:
        machine.install("debootstrap", unless=None, run=lambda *_, **__: "")

    assert "debootstrap" in refused.value.what
    assert "install debootstrap" in refused.value.try_


def test_a_processor_without_artefacts_is_refused(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    with pytest.raises(FoundryError, match="riscv64"):
        machine.architecture()


def test_what_was_compiled_goes_and_modules_stay(tmp_path):
    cache = machine.Cache(tmp_path)
    compiled, module = cache.go_build / "00" / "aa-d", cache.go_mod / "example.org" / "it@v1.0.0" / "it.go"
    download = cache.go_mod / "cache" / "download" / "example.org" / "it" / "@v"
    for file in (compiled, module, download / "v1.0.0.zip", download / "v1.0.0.ziphash"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")

    cache.drop_compiled()
    cache.drop_compiled()

    assert not cache.go_build.exists()
    assert module.exists()
    assert [file.name for file in download.iterdir()] == ["v1.0.0.ziphash"]


@pytest.mark.parametrize(("size", "stays"), [(100, True), (101, False)])
def test_what_was_compiled_goes_when_it_is_too_much(tmp_path, size, stays):
    cache = machine.Cache(tmp_path)
    compiled = cache.go_build / "00" / "aa-d"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(bytes(size))

    cache.bound_compiled(100)

    assert compiled.exists() is stays
