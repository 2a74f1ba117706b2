"""The capability shim: which command lines it looks into, what it takes out, and that runc gets the rest."""

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
def test_the_file_with_the_capabilities_is_found(words, asked):
    assert shim.request(words.split()) == asked


def test_missing_capabilities_are_those_the_kernel_knows_and_the_set_lacks():
    everything = (1 << 41) - 1

    assert shim.missing(everything, 40) == frozenset()
    assert shim.missing(everything & ~(1 << 24), 40) == {"CAP_SYS_RESOURCE"}
    assert shim.missing((1 << 38) - 1, 37) == frozenset()


def test_the_names_are_in_the_kernels_order():
    assert (shim.NAMES[12], shim.NAMES[21], shim.NAMES[24], shim.NAMES[40]) == (
        "NET_ADMIN",
        "SYS_ADMIN",
        "SYS_RESOURCE",
        "CHECKPOINT_RESTORE",
    )


def test_all_capability_sets_lose_what_is_unwanted_and_keep_the_rest():
    process = {"args": ["sh"], "capabilities": {"bounding": PRIVILEGED, "effective": PRIVILEGED, "ambient": None}}

    found = shim.without(process, frozenset({"CAP_SYS_RESOURCE"}))

    assert found == {
        "args": ["sh"],
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_ADMIN"], "effective": ["CAP_CHOWN", "CAP_SYS_ADMIN"]},
    }


def test_a_process_without_capabilities_stays_as_it_is():
    assert shim.without({"args": ["sh"]}, frozenset({"CAP_SYS_RESOURCE"})) == {"args": ["sh"]}


def test_a_bundle_is_rewritten_whole(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ociVersion": "1.0.2", "process": {"capabilities": {"bounding": PRIVILEGED}}}))

    shim.rewrite("bundle", str(config), frozenset({"CAP_SYS_ADMIN"}))

    assert json.loads(config.read_text()) == {
        "ociVersion": "1.0.2",
        "process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"]}},
    }
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize("words", [["exec", "--process", "{file}", "id"], ["state", "id"]])
def test_the_program_becomes_runc_with_the_same_words(tmp_path, words):
    """The copy that an engine runs, isolated from this environment, with a runc that prints its command line."""
    process_file = tmp_path / "process.json"
    process_file.write_text(json.dumps({"capabilities": {"bounding": PRIVILEGED}}))
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    runc.chmod(0o755)
    program = tmp_path / "capability-shim"
    source = Path(shim.__file__).read_text()
    lacking = "    return 0, 40"  # a machine that gives nothing
    body = source.replace('RUNC = ("/usr/local/sbin/runc",', f'RUNC = ("{runc}",')
    body = body.replace('    """This process\'s bounding set', f'{lacking}\n    """This process\'s bounding set')
    program.write_text(body)
    argv = [word.format(file=process_file) for word in words]

    done = subprocess.run(
        [sys.executable, "-IS", program, *argv], capture_output=True, text=True, check=True, env={"PATH": "/bin"}
    )

    assert done.stdout.split() == argv
    kept = json.loads(process_file.read_text())["capabilities"]["bounding"]
    assert kept == ([] if words[0] == "exec" else PRIVILEGED)
