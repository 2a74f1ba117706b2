"""Find which program or container listens on each TCP port of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError
from seatrial.ports import Processes

__all__ = ["listeners"]

_TIMEOUT_SECONDS: Final = 10.0
_LISTEN: Final = "0A"
_PROC_NET: Final = ("/proc/net/tcp", "/proc/net/tcp6")


def listeners(processes: Processes) -> dict[int, str]:
    """Return port -> listener of the TCP ports of this machine: a container, or a program with its process id."""
    owners = {inode: port for port, inode in _listening()}
    found = dict.fromkeys(owners.values(), "a process of another user")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                link = str(descriptor.readlink())
                if link.startswith("socket:[") and (port := owners.get(link[8:-1])) is not None:
                    found[port] = f"{(process / 'comm').read_text().strip()} (process {process.name})"
    with suppress(SeatrialError):
        argv = ["docker", "ps", "--format", "{{.Names}}\t{{.Ports}}"]
        listed = processes.run(argv, deadline=Deadline.after(_TIMEOUT_SECONDS), check=False).stdout.decode()
        for line in listed.splitlines():
            name, _, ports = line.partition("\t")
            for port in re.findall(r":(\d+)->", ports):
                found[int(port)] = f"container {name}"
    return found


def _listening() -> Iterator[tuple[int, str]]:
    for table in _PROC_NET:
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    yield int(fields[1].rpartition(":")[2], 16), fields[9]
