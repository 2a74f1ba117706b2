"""Files are missing or lost: a bind mount, tmpfs or volume of one side has no counterpart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seatrial.comparison.case import Case
from seatrial.comparison.facts import pairs
from seatrial.model.comparison import Difference, Explanation, Kind
from seatrial.model.environment_facts import Mount

__all__ = ["explain"]

_PATH: Final = re.compile(
    r"(?:no such file or directory|FileNotFoundError|ENOENT|not found|cannot open)\W*.*?(/[\w./-]+)", re.IGNORECASE
)
_PATH_FIRST: Final = re.compile(r"(/[\w./-]+)['\"]?:? .*?(?:no such file or directory|not found)", re.IGNORECASE)
_LASTING: Final = ("persistentVolumeClaim", "volume", "bind", "hostPath")


def explain(difference: Difference, case: Case) -> Explanation | None:
    """Explain a file that is below a mount of the other side, or the mounts themselves."""
    remedy = "mount the files from a ConfigMap, Secret or volume, or copy them into the image"
    if difference.kind is Kind.MOUNTS:
        lost = any(kind in difference.left and kind not in difference.right for kind in _LASTING)
        return Explanation(
            rule="mounts",
            cause=f"the mounts of {difference.subject} differ{': its data does not survive a restart' if lost else ''}",
            evidence=(f"{case.left.name}: {difference.left}", f"{case.right.name}: {difference.right}"),
            remedy="mount a PersistentVolumeClaim where the program keeps its data" if lost else remedy,
        )
    line = case.find(_PATH, difference) or case.find(_PATH_FIRST, difference)
    if line is None:
        return None
    side = case.bad(difference)
    for name, mount in _lost(case):
        if line.match[1].startswith(mount.path.rstrip("/") + "/") or line.match[1] == mount.path:
            return Explanation(
                rule="mounts",
                cause=f"{line.match[1]} is missing in {side.name}; the other side mounts {mount.path} ({mount.kind})",
                evidence=(str(line), f"{name}: {mount.path} {mount.kind}"),
                remedy=remedy,
            )
    return None


def _lost(case: Case) -> Iterator[tuple[str, Mount]]:
    """Yield container and mount of each mount that only one side has."""
    for before, after in pairs(case.left.containers, case.right.containers):
        for one, other in ((before, after), (after, before)):
            if one is not None:
                paths = {(each.path, each.kind) for each in other.mounts} if other else set()
                yield from ((one.name, each) for each in one.mounts if (each.path, each.kind) not in paths)
