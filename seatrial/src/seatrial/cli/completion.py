"""Command `seatrial completion`: print the completion script of a shell."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from seatrial.cli.declaration import plain_command
from seatrial.model.errors import ExitCode

__all__ = ["command"]

_SHELLS: Final[dict[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@plain_command(
    examples=(
        ("source <(seatrial completion bash)", "enable completion in this shell"),
        ('seatrial completion zsh > "${fpath[1]}/_seatrial"', "enable it in every zsh"),
        ("seatrial completion fish > ~/.config/fish/completions/seatrial.fish", "enable it in every fish"),
    )
)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def command(shell: str) -> ExitCode:
    """Print the completion script of a shell."""
    from seatrial.cli.main import cli  # noqa: PLC0415 - main imports this module

    # Not `source()`: it starts bash to check its version, which has to be 4.4 or newer.
    click.echo(_SHELLS[shell](cli, {}, "seatrial", "_SEATRIAL_COMPLETE").source_template % _names())
    return ExitCode.PASSED


def _names() -> dict[str, str]:
    return {
        "complete_func": "_seatrial_completion",
        "complete_var": "_SEATRIAL_COMPLETE",
        "prog_name": "seatrial",
    }
