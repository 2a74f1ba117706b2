"""`python -m flow`: the one place that prints an error and ends the process."""

import os
import sys
from pathlib import Path

from flow.commands import Commands, say
from flow.errors import Failure
from flow.run import run
from flow.settings import parse

try:
    settings = parse(sys.argv[1:], os.environ, Path.cwd())
    commands = Commands()
    commands.handle_signals()
    code = run(settings, commands)
except Failure as failure:
    say(f"\n{failure}")
    code = failure.code
sys.exit(code)
