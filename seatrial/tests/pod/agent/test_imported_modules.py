"""Modules of the project that tests import, with the files that they come from."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from runner.bench import Bench
from seatrial.model.errors import ExitCode
from seatrial.pod.agent.imported_modules import Imports, imported
from seatrial.pod.agent.wire import RecordKind


def module(monkeypatch: pytest.MonkeyPatch, name: str, file: object) -> None:
    made = ModuleType(name)
    made.__file__ = file  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, name, made)


def test_imported_returns_file_and_digest_of_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.py"
    source.write_text("x = 1\n")
    for name in ("shop", "shop.cart", "shopping"):
        module(monkeypatch, name, str(source))
    module(monkeypatch, "shop.compiled", str(tmp_path / "a.so"))
    module(monkeypatch, "shop.namespace", None)
    digest = hashlib.sha256(b"x = 1\n").hexdigest()

    assert imported(["shop"]) == {"shop": (str(source), digest), "shop.cart": (str(source), digest)}


def test_imported_has_no_digest_of_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "shop", str(tmp_path / "deleted.py"))

    assert imported(["shop"]) == {"shop": (str(tmp_path / "deleted.py"), "")}


def test_modules_of_workers_are_reported_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "shop", None)
    records: list[tuple[Any, ...]] = []
    imports = Imports(["shop"], lambda *parts: records.append(parts))
    node = SimpleNamespace(workerinput={}, workeroutput={"seatrial_imports": {"shop.cart": ("/a.py", "1")}})

    imports.pytest_configure_node(node)
    imports.pytest_testnodedown(node)
    imports.pytest_testnodedown(SimpleNamespace())  # a worker that crashed
    imports.pytest_unconfigure()

    assert node.workerinput == {"seatrial_imports": ["shop"]}
    assert records == [(RecordKind.IMPORTS, {"shop.cart": ("/a.py", "1")})]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["serial", "xdist"])
def test_import_of_an_installed_copy_is_inconclusive(bench: Bench, workers: tuple[str, ...]) -> None:
    """The tree is right, but Python imports another file: also in xdist's workers, where the tests are."""
    test = "import pkg\ndef test_pkg(): assert pkg.VALUE\n"
    bench.write(src__pkg____init___py="VALUE = 2\n", tests__test_a_py=test)
    (bench.root / "src/pkg").mkdir(parents=True, exist_ok=True)
    (bench.root / "src/pkg/__init__.py").write_text("VALUE = 2\n")
    bench.build()
    installed = bench.pod.directory / "site-packages" / "pkg"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("VALUE = 1\n")

    ran = bench.run(*workers, "tests", sync=("tests", "src"), env={"PYTHONPATH": str(installed.parent)})

    assert ran.verdict.exit is ExitCode.INCONCLUSIVE
    assert f"pkg was imported from {installed}/__init__.py" in ran.verdict.reason
