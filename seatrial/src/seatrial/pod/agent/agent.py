"""Entry point: `agent.py COMMAND …`. Each command imports only what it needs: most run for some milliseconds.

serve                       container `tests`: wait for requests, run them one after the other
keep                        container `keeper`: live as long as the pod, so that the state can be read
submit                      apply a delta, tell the tree's digests, start a run (stdin: one line of JSON, then a tar)
tail RUN [CHANNEL=OFFSET]…  print what a run has to say, from there to its end
interrupt RUN [--kill]      what Ctrl-C does; or the end at once
attach RUN                  connect this terminal to the debugger of the run
manifest                    what files there are (stdin: one line of JSON)
seed DIRECTORY PATH…        copy the paths into the directory, once
clients DIRECTORY           write the clients into the directory, as programs; run as long as the pod
client NAME ARGUMENT…       run a client
"""

from __future__ import annotations

import os
import sys

if not __package__:
    # Started by path: make the directory of this file the package that it is, under whatever name it was mounted.
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(_here))
    __package__ = os.path.basename(_here)
    __import__(__package__)
    from .wire import state_directory

    sys.pycache_prefix = os.path.join(state_directory(), "pyc")

__all__ = ["main"]


def main(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    command, arguments = argv[0] if argv else "", argv[1:]
    if command == "serve":
        from .supervisor import serve

        return serve()
    if command == "keep":
        from .supervisor import keep

        return keep()
    if command == "tail":
        from .tail import tail

        return tail(arguments[0], dict(part.split("=", 1) for part in arguments[1:]))
    if command == "submit":
        from .exec_commands import submit

        return submit()
    if command == "interrupt":
        from .exec_commands import interrupt

        return interrupt(arguments[0], kill="--kill" in arguments)
    if command == "attach":
        from .exec_commands import attach

        return attach(arguments[0])
    if command == "manifest":
        from .exec_commands import manifest

        return manifest()
    if command == "seed":
        from .file_tree import seed
        from .state_files import state

        return seed(arguments[0], arguments[1:], state("seed.json"))
    if command == "clients":
        from .bundle import write_client_programs
        from .supervisor import keep

        write_client_programs(arguments[0], os.path.abspath(__file__))
        return keep()
    if command == "client":
        from .bundle import run_client

        return run_client(arguments[0], arguments[1:])
    sys.stderr.write(__doc__ or "")
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        # Whoever listened is gone; that is how tails end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
