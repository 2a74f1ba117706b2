from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(seatrial, shell):
    said = seatrial("completion", shell)

    assert said.code == 0
    assert "_SEATRIAL_COMPLETE" in said.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here to complete in")
def test_completion_script_works_in_bash():
    script = (
        'source <(python -m seatrial completion bash); seatrial() { python -m seatrial "$@"; }\n'
        'COMP_WORDS=(seatrial con) COMP_CWORD=1; _seatrial_completion seatrial; echo "${COMPREPLY[@]}"\n'
        "COMPREPLY=(); COMP_WORDS=(seatrial config li) COMP_CWORD=2; _seatrial_completion seatrial; echo"
        ' "${COMPREPLY[@]}"\n'
    )
    folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=False, text=True, env={"PATH": f"{folder}:/usr/bin:/bin"}
    )

    assert done.stdout.split() == ["config", "lint"], done.stderr
