"""Test the Python image: the contract of Docker's official `python:3.13-slim`, uv, and the machine's CA files."""

from __future__ import annotations

import json

import pytest

from foundry import machine

ARTIFACT = "python"


@pytest.fixture(scope="module")
def box(image, shared_boxes):
    """Provide a container to run programs in."""
    return shared_boxes.run(image, "sleep", "infinity", options=["--init"])


def test_python_and_python3_are_version_3_13(box):
    for name in ("python", "python3"):
        assert box.exec(name, "-c", "import sys; print(sys.version_info[:2])") == "(3, 13)"


def test_default_command_is_python(image, boxes):
    ended = boxes.run(image)

    assert (ended.wait(), ended.logs()) == (0, "")


def test_command_runs_without_wrapper(image, boxes):
    ended = boxes.run(image, "sh", "-c", "echo $0 $$; exit 7", "name")

    assert (ended.wait(), ended.logs()) == (7, "name 1")


def test_unknown_command_fails_with_engine_error(image, boxes):
    with pytest.raises(AssertionError, match="no-such-program"):
        boxes.run(image, "no-such-program")


def test_standard_library_is_complete(box):
    modules = (
        "asyncio, bz2, ctypes, curses, dbm, ensurepip, hashlib, lzma, readline, socket, sqlite3, ssl, tomllib, venv, "
        "zlib, zoneinfo"
    )

    assert box.exec("python", "-c", f"import {modules}; print(zoneinfo.ZoneInfo('Europe/Berlin'))") == "Europe/Berlin"


def test_default_encoding_is_utf8(box):
    script = "import locale, sys; print(locale.getencoding(), sys.stdout.encoding, 'ä')"

    assert box.exec("python", "-c", script).lower() == "utf-8 utf-8 ä"


@pytest.fixture(scope="module")
def own_box(own, shared_boxes):
    """Provide a container of an image that a recipe built."""
    return shared_boxes.run(own, "sleep", "infinity", options=["--init"])


def test_user_1000_is_app_with_home(own_box):
    assert own_box.exec("sh", "-c", "id -un; id -u; id -g; cd && touch here && pwd", user="app").split() == [
        *("app", "1000", "1000", "/home/app")
    ]


def test_pip_and_uv_install_into_system_python(own_box):
    """The test creates the wheel, so no index is needed."""
    file = "/tmp/greeting-1-py3-none-any.whl"
    content = {
        "greeting.py": "print('hello')\n",
        "greeting-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1\n",
        "greeting-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "greeting-1.dist-info/RECORD": "greeting.py,,\n",
    }
    own_box.exec(
        "python",
        "-c",
        f"import zipfile\nz = zipfile.ZipFile({file!r}, 'w')\n[z.writestr(*f) for f in {content}.items()]",
    )

    own_box.exec("pip", "install", "--quiet", "--no-index", file)
    assert own_box.exec("python", "-m", "greeting") == "hello"
    own_box.exec("pip", "uninstall", "--quiet", "--yes", "greeting")
    own_box.exec("uv", "pip", "install", "--quiet", "--system", "--offline", file)
    assert own_box.exec("python", "-m", "greeting") == "hello"

    own_box.exec("uv", "venv", "--quiet", "/tmp/venv")
    own_box.exec("uv", "pip", "install", "--quiet", "--offline", "--python=/tmp/venv", file)
    assert own_box.exec("/tmp/venv/bin/python", "-m", "greeting") == "hello"


def test_machine_ca_files_are_trusted(own_box):
    script = (
        "import json, ssl; c = ssl.create_default_context(); "
        "print(json.dumps([ssl.DER_cert_to_PEM_cert(x) for x in c.get_ca_certs(True)]))"
    )
    trusted = [body(pem) for pem in json.loads(own_box.exec("python", "-c", script))]

    assert len(trusted) > 100
    assert [file.name for file in machine.ca_files() if body(file.read_text()) not in trusted] == []
    assert own_box.exec("sh", "-c", "echo $SSL_CERT_FILE") == "/etc/ssl/certs/ca-certificates.crt"


def body(pem):
    """Return a certificate's body without line breaks and header."""
    return "".join(pem.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0].split())
