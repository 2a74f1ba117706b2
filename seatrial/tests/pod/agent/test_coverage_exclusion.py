"""The agent's modules in the process of pytest have file names that coverage.py never measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from seatrial.pod.agent import supervisor
from seatrial.pod.agent.wire import PACKAGE, STATE_VARIABLE


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as the supervisor installs it for pytest."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    supervisor._install_library()
    return tmp_path / "lib" / PACKAGE


def imported(library: Path, *, before: str = "", module: str = "wire") -> list[str]:
    """Import a module in a process of its own; return the names of its code's file and of `__file__`."""
    code = (
        f"import json, sys\n{before}\nimport {PACKAGE}.{module} as it\n"
        "function = next(each for each in vars(it).values() if getattr(each, '__module__', '') == it.__name__"
        " and hasattr(each, '__code__'))\n"
        "print(json.dumps([function.__code__.co_filename, it.__file__]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=library.parent, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def caches(library: Path) -> list[Path]:
    return list(library.glob("wire.py.*"))


def test_code_has_a_file_name_that_is_not_measured(library: Path) -> None:
    assert imported(library) == [f"<{PACKAGE}>/wire.py", str(library / "wire.py")]


def test_compiled_code_is_cached_for_the_next_session(library: Path) -> None:
    imported(library)
    (cache,) = caches(library)
    written = cache.stat().st_mtime_ns

    assert imported(library)[0] == f"<{PACKAGE}>/wire.py"
    assert [each.stat().st_mtime_ns for each in caches(library)] == [written]


@pytest.mark.parametrize("content", [b"", b"\xe3", b"not marshal", b"\x00"])
def test_damaged_cache_is_compiled_again(library: Path, content: bytes) -> None:
    imported(library)
    (cache,) = caches(library)
    cache.write_bytes(content)

    assert imported(library)[0] == f"<{PACKAGE}>/wire.py"
    assert caches(library)[0].read_bytes() != content


def test_module_is_imported_without_a_cache_if_it_cannot_be_written(library: Path) -> None:
    before = "import os\ndef full(*_): raise OSError(28, 'No space left on device')\nos.replace = full"

    assert imported(library, before=before)[0] == f"<{PACKAGE}>/wire.py"


def test_other_packages_are_imported_as_usual(library: Path) -> None:
    (library.parent / "other").mkdir()
    (library.parent / "other/__init__.py").touch()
    (library.parent / "other/wire.py").write_text("def function(): pass\n")
    code = f"import {PACKAGE}.wire, other.wire; print(other.wire.function.__code__.co_filename)"
    done = subprocess.run([sys.executable, "-c", code], cwd=library.parent, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == str(library.parent / "other/wire.py")


def test_missing_module_is_an_import_error(library: Path) -> None:
    code = f"import {PACKAGE}.nothing"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=library.parent, capture_output=True, text=True, timeout=30, check=False
    )

    assert f"No module named '{PACKAGE}.nothing'" in done.stderr
