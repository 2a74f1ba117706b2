"""Test the capability shim: command line parsing, capability removal, and the call of runc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from foundry import capability_shim as shim

PRIVILEGED = ["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("--root /run/x --log l --log-format json create --bundle /b --pid-file p id", ("bundle", "/b/config.json")),
        ("--systemd-cgroup create -b /b id", ("bundle", "/b/config.json")),
        ("create --bundle=/b id", ("bundle", "/b/config.json")),
        ("run id", ("bundle", "./config.json")),
        ("--log=l exec --process /p.json --detach id", ("process", "/p.json")),
        ("exec -p /p.json id", ("process", "/p.json")),
        ("exec id sh -c true", ("", "")),
        ("--root create delete id", ("", "")),
        ("state id", ("", "")),
        ("--version", ("", "")),
        ("", ("", "")),
    ],
)
def test_request_finds_file_with_capabilities(words, asked):
    assert shim.request(words.split()) == asked


def test_missing_returns_kernel_capabilities_outside_bounding_set():
    everything = (1 << 41) - 1

    assert shim.missing(everything, 40) == frozenset()
    assert shim.missing(everything & ~(1 << 24), 40) == {"CAP_SYS_RESOURCE"}
    assert shim.missing((1 << 38) - 1, 37) == frozenset()


def test_names_follow_kernel_order():
    assert (shim.NAMES[12], shim.NAMES[21], shim.NAMES[24], shim.NAMES[40]) == (
        "NET_ADMIN",
        "SYS_ADMIN",
        "SYS_RESOURCE",
        "CHECKPOINT_RESTORE",
    )


def test_without_capabilities_removes_unwanted_from_every_set():
    process = {"args": ["sh"], "capabilities": {"bounding": PRIVILEGED, "effective": PRIVILEGED, "ambient": None}}

    found = shim.without_capabilities(process, frozenset({"CAP_SYS_RESOURCE"}))

    assert found == {
        "args": ["sh"],
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_ADMIN"], "effective": ["CAP_CHOWN", "CAP_SYS_ADMIN"]},
    }


def test_without_capabilities_process_without_sets_is_unchanged():
    assert shim.without_capabilities({"args": ["sh"]}, frozenset({"CAP_SYS_RESOURCE"})) == {"args": ["sh"]}


def test_rewrite_bundle_keeps_other_settings(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ociVersion": "1.0.2", "process": {"capabilities": {"bounding": PRIVILEGED}}}))

    shim.rewrite("bundle", str(config), frozenset({"CAP_SYS_ADMIN"}))

    assert json.loads(config.read_text()) == {
        "ociVersion": "1.0.2",
        "process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"]}},
    }
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize("words", [["exec", "--process", "{file}", "id"], ["state", "id"]])
def test_main_executes_runc_with_same_arguments(tmp_path, words):
    """Run the copy that an engine runs, isolated from this environment, with a runc that prints its command line."""
    process_file = tmp_path / "process.json"
    process_file.write_text(json.dumps({"capabilities": {"bounding": PRIVILEGED}}))
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    runc.chmod(0o755)
    program = tmp_path / "capability-shim"
    source = Path(shim.__file__).read_text()
    lacking = "    return 0, 40"  # simulate a machine without any capability
    body = source.replace('RUNC = ("/usr/local/sbin/runc",', f'RUNC = ("{runc}",')
    body = body.replace('    """Return this process\'s', f'{lacking}\n    """Return this process\'s')
    program.write_text(body)
    argv = [word.format(file=process_file) for word in words]

    done = subprocess.run(
        [sys.executable, "-IS", program, *argv], capture_output=True, text=True, check=True, env={"PATH": "/bin"}
    )

    assert done.stdout.split() == argv
    kept = json.loads(process_file.read_text())["capabilities"]["bounding"]
    assert kept == ([] if words[0] == "exec" else PRIVILEGED)
