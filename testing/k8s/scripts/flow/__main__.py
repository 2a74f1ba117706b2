"""`python -m flow`: the one place that prints an error and ends the process."""

import os
import sys
from pathlib import Path

from flow.commands import Commands, say
from flow.errors import Failure, Interrupted
from flow.run import run
from flow.settings import parse

commands = Commands()
commands.handle_signals()
try:
    code = run(parse(sys.argv[1:], os.environ, Path.cwd()), commands)
except Failure as failure:
    say(f"\n{failure}")
    code = failure.code
except Interrupted:
    code = 128 + (commands.signal or 0)
sys.exit(code)
