"""Run one command of the agent: `agent.py COMMAND …`. Each command imports only the modules that it needs.

serve                       in container `tests`: wait for requests and run them one by one
keep                        in container `keeper`: run as long as the pod, so that its files can be read
submit                      apply changed files, print their digests, start a run (stdin: a line of JSON, then a tar)
tail RUN [CHANNEL=OFFSET]…  print frames and output of a run from an offset to the end
interrupt RUN [--kill]      send SIGINT to a run, or kill it
attach RUN                  connect this terminal to the debugger of a run
manifest                    print the files below some paths (stdin: a line of JSON)
facts                       print facts about the container (stdin: a line of JSON)
seed DIRECTORY PATH…        copy paths of the image into a directory, unless they exist there
seed-as UID DIRECTORY PATH… the same as root: first give the volumes to a user, then become that user
clients DIRECTORY           write the clients into the directory, as programs; run as long as the pod
client NAME ARGUMENT…       run a client
"""

from __future__ import annotations

import os
import sys

if not __package__:
    # Started by path: import the directory of this file as a package, whatever its name.
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
    if command == "facts":
        from .runner_facts import facts

        return facts()
    if command == "seed":
        from .file_tree import seed
        from .state_files import state

        return seed(arguments[0], arguments[1:], state("seed.json"))
    if command == "seed-as":
        from .file_tree import become_owner, seed
        from .state_files import state

        become_owner(int(arguments[0]), [state(), *(os.path.join(arguments[1], path) for path in arguments[2:])])
        return seed(arguments[1], arguments[2:], state("seed.json"))
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
        # The client has disconnected, which is how `tail` ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
