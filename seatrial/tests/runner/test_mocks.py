"""Tests that replace what the plugin of the pod needs: it has bound that before, and the verdict is the same."""

from __future__ import annotations

import pytest
from seatrial.model.errors import ExitCode

from runner.bench import Bench

PARTS = """
import builtins, gc, hashlib, inspect, io, json, linecache, os, socket, sys, threading, time, types, warnings, zlib
import pytest
import shop

def broken(*args, **more):
    raise RuntimeError("mocked")

def replaced(modules, real, fake):
    "Replace what any of the modules has bound by name, as pyfakefs and freezegun do."
    for module in list(sys.modules.values()):
        if isinstance(module, types.ModuleType) and module.__name__.partition(".")[0] in modules:
            for name, value in list(vars(module).items()):
                if any(value is each for each in real):
                    yield module, name, fake

"""

DURING = (
    PARTS
    + """
NAMES = {names}
# pytest itself needs the others to show a failure.
SHOWN = [name for name in NAMES if not name.startswith(("os.", "builtins", "io.")) or name in ("os.write", "os.open")]

@pytest.mark.parametrize(("name", "works"), [(name, True) for name in NAMES] + [(name, False) for name in SHOWN])
def test_attribute(monkeypatch, name, works):
    module, _, attribute = name.rpartition(".")
    monkeypatch.setattr(os.path if module == "os.path" else sys.modules[module], attribute, broken)
    warnings.warn("careful")
    print("much" * 10000)
    assert works

BOUND = [(os, os.path, io), (os.write, os.stat, os.open, open), (time.time, time.perf_counter)]

@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("real", BOUND)
def test_everywhere(monkeypatch, real, works):
    for where in replaced(("seatrial_agent", "shop"), real, broken):
        monkeypatch.setattr(*where)
    warnings.warn("careful")
    assert works
"""
)

NAMES = [
    "os.write", "os.open", "os.stat", "os.lstat", "os.getpid", "os.fspath", "os.path.exists", "os.path.join",
    "os.remove", "time.time", "time.monotonic", "time.perf_counter", "time.sleep", "json.dumps", "json.loads",
    "json.JSONEncoder", "zlib.crc32", "hashlib.sha256", "socket.socket", "threading.Lock", "threading.RLock",
    "threading.Thread", "inspect.getdoc", "gc.collect", "io.StringIO", "builtins.open", "io.open",
]  # fmt: skip

IN_WORKERS = ["os.open", "os.stat", "os.path.exists", "time.time", "json.dumps", "hashlib.sha256", "builtins.open"]
"""xdist needs the others itself."""

AFTER = (
    PARTS
    + """
def test_replaces():
    os.write = os.open = os.remove = zlib.crc32 = hashlib.sha256 = broken
    time.monotonic = time.perf_counter = time.sleep = threading.Thread = io.StringIO = gc.freeze = broken
    json.loads = inspect.getdoc = socket.socket = broken
    for module, name, fake in list(replaced(("seatrial_agent",), (os, os.path, io, time.time, json, zlib), broken)):
        setattr(module, name, fake)
    {more}

def test_after(): warnings.warn("careful"); assert shop.PRICE

def test_fails(): assert 0

@pytest.mark.parametrize("name", ["a", "b"])
def test_prints(name): print(name * 20000)
"""
)


@pytest.mark.parametrize(
    ("option", "names", "passed", "failed"),
    [((), NAMES, 30, 20), (("-s",), NAMES, 30, 20), (("-n1",), IN_WORKERS, 10, 7)],
    ids=["captured", "uncaptured", "xdist"],
)
def test_mock_during_a_test_changes_no_result(
    bench: Bench, option: tuple[str, ...], names: list[str], passed: int, failed: int
) -> None:
    bench.write(shop_py="PRICE = 1\n", test_a_py=DURING.replace("{names}", repr(names)))
    bench.build()

    ran = bench.run(*option, sync=("test_a.py", "shop.py"))

    assert ran.verdict.exit is ExitCode.TESTS_FAILED, ran
    assert (ran.counts.passed, ran.counts.failed, ran.counts.errors) == (passed, failed, 0), ran
    assert f"{passed + failed} warnings" in bench.text


@pytest.mark.parametrize(
    ("more", "option"),
    [
        ("sys.stdout = sys.stderr = None", "-q"),
        ("sys.stdout = sys.stderr = None", "-s"),
        ("sys.stdout = object()", "-q"),
        ("sys.stdin.close(); os.close(0)", "-q"),
        ("sys.stdin.close(); os.close(0)", "-s"),
        ("[sys.modules.pop(name, None) for name in ('json', 'os', 'zlib', 'time', 'hashlib')]", "-q"),
    ],
)
def test_mock_that_is_not_undone_changes_no_result(bench: Bench, more: str, option: str) -> None:
    """Some tests do not undo their patches."""
    bench.write(shop_py="PRICE = 1\n", test_a_py=AFTER.format(more=more))
    bench.build()

    ran = bench.run(option, sync=("test_a.py", "shop.py"))

    assert ran.verdict.exit is ExitCode.TESTS_FAILED, ran
    assert (ran.counts.passed, ran.counts.failed) == (4, 1), ran
