from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from seatrial.model.selection import Selection

ALL = Selection(
    project="a b", settings=("cluster.name=x", "runner.image=y:1"), environment="compose", namespace="pr-42"
)


def test_command_line_without_options_is_the_command() -> None:
    assert Selection().command_line("test", "-k", "s3") == ("test", "-k", "s3")
    assert Selection().shell_command("test", "a.py::t[x y]") == "seatrial test 'a.py::t[x y]'"


def test_command_line_has_global_options_before_the_command_and_the_others_after_it() -> None:
    assert ALL.command_line("test", "-x") == (
        "-C", "a b", "--set", "cluster.name=x", "--set", "runner.image=y:1",
        "test", "--env", "compose", "--namespace", "pr-42", "-x",
    )  # fmt: skip


@pytest.mark.parametrize("value", ["compose", "a b'c", 'image.a.args={ A = "1" }\nrelease.b.set={ "c\'\\d" = "2" }\n'])
def test_shell_command_is_one_line_that_sets_the_variables(value: str) -> None:
    text = Selection(variables={"SEATRIAL_SET": value, "SEATRIAL_CLUSTER_NAME": "mine"}).shell_command("run", "a.py")

    assert text.startswith("SEATRIAL_CLUSTER_NAME=mine SEATRIAL_SET=")
    assert text.endswith(" seatrial run a.py")
    assert "\n" not in text
    script = text.replace("seatrial run a.py", "printenv SEATRIAL_SET SEATRIAL_CLUSTER_NAME")
    printed = subprocess.run(
        ["bash", "-c", script], check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )
    assert printed.stdout == f"{value}\nmine\n"


def test_shell_command_quotes_options() -> None:
    assert shlex.split(ALL.shell_command("test", "it's"))[1:] == list(ALL.command_line("test", "it's"))
