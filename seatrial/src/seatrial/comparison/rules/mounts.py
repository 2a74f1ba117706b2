"""Rule: files are missing or lost: a bind mount, tmpfs or volume of one side has no counterpart."""

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
_NO_DATA: Final = re.compile(r"\b404\b|no such (?!file)|\[\] ==|== \[\]|does not exist|is None\b", re.IGNORECASE)
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
    side = case.bad(difference)
    for name, mount in _lost(case) if line else ():
        path = line.match[1] if line else ""
        if path == mount.path or path.startswith(mount.path.rstrip("/") + "/"):
            return Explanation(
                rule="mounts",
                cause=f"{path} is missing in {side.name}; the other side mounts {mount.path} ({mount.kind})",
                evidence=(str(line), f"{name}: {mount.path} {mount.kind}"),
                remedy=remedy,
            )
    return _lost_data(difference, case)


def _lost_data(difference: Difference, case: Case) -> Explanation | None:
    """Explain missing data beside a container whose lasting volume moved or was deleted."""
    line = case.find(_NO_DATA, difference, logs=False)
    for each in case.of_kind(Kind.MOUNTS) if line else ():
        lasting = any(kind in each.left for kind in _LASTING)
        if lasting and each.left != each.right:
            return Explanation(
                rule="mounts",
                cause=f"data of {each.subject} is missing in {case.bad(difference).name}, where its volume differs",
                evidence=(
                    str(line),
                    f"{each.subject}: {each.left} in {case.left.name}, {each.right} in {case.right.name}",
                ),
                remedy="mount the same PersistentVolumeClaim at the same path as before",
            )
    return None


def _lost(case: Case) -> Iterator[tuple[str, Mount]]:
    """Yield container and mount of each mount that only one side has."""
    for before, after in pairs(case.left.containers, case.right.containers):
        for one, other in ((before, after), (after, before)):
            if one is not None:
                paths = {(each.path, each.kind) for each in other.mounts} if other else set()
                yield from ((one.name, each) for each in one.mounts if (each.path, each.kind) not in paths)
