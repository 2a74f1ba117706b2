"""Derive recordings of causes that the machine of the recordings cannot show, by changing recorded objects.

    .venv/bin/python seatrial/e2e/derived_causes.py

`record_causes.py` calls it, too. A derived recording names its source in `derived_from`. It never replaces a recording
of a cluster. Under cgroup v2 the kubelet sets `memory.oom.group`, so the kernel kills all processes of a container
where version 1 kills one child: https://docs.kernel.org/admin-guide/cgroup-v2.html. Reasons and messages of conditions
are those of pkg/kubelet/nodestatus/setters.go in Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recording import recording_text

__all__ = ["DERIVED", "derive", "derived"]

Obj = dict[str, Any]

RECORDED: Final = Path(__file__).parents[1] / "tests" / "diagnose" / "recorded"
_SIGKILL: Final = 137
_NO_DISK_PRESSURE: Final = ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")


@dataclass(frozen=True)
class Derivation:
    """A recording that is derived from another one.

    Attributes:
        source: name of the recording that is changed.
        change: changes one object. Its namespace is changed before.
        cgroup: version of control groups of the derived recording; empty: as in the source.
    """

    source: str
    change: Callable[[Obj], None]
    cgroup: str = ""


def _whole_container(obj: Obj) -> None:
    """Let each out-of-memory kill end the whole container."""
    if obj["kind"] == "Pod":
        for status in obj["status"].get("containerStatuses") or ():
            for state in (status.get("state") or {}, status.get("lastState") or {}):
                ended = state.get("terminated") or {}
                if ended.get("reason") == "OOMKilled":
                    ended["exitCode"] = _SIGKILL


def _pressure(kind: str, reason: str, message: str) -> Callable[[Obj], None]:
    """Return a change that replaces the disk pressure of nodes by another pressure."""

    def change(obj: Obj) -> None:
        if obj["kind"] == "Event":
            obj["message"] = obj["message"].replace("[DiskPressure]", f"[{kind}]")
        if obj["kind"] == "Node":
            conditions = {each["type"]: each for each in obj["status"]["conditions"]}
            was, becomes = conditions["DiskPressure"], conditions[kind]
            was["lastTransitionTime"], becomes["lastTransitionTime"] = (
                becomes["lastTransitionTime"], was["lastTransitionTime"],
            )  # fmt: skip
            was["status"], was["reason"], was["message"] = _NO_DISK_PRESSURE
            becomes["status"], becomes["reason"], becomes["message"] = "True", reason, message

    return change


DERIVED: Final = {
    "oom-killed-cgroup-v2": Derivation("child-oom-killed", _whole_container, cgroup="v2"),
    "pid-pressure": Derivation(
        "disk-pressure",
        _pressure("PIDPressure", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
    "memory-pressure": Derivation(
        "disk-pressure",
        _pressure("MemoryPressure", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
}


def derived(name: str, folder: Path) -> Obj:
    """Return a derived recording.

    Args:
        name: key of `DERIVED`, and the namespace in the recording.
        folder: the folder with the recordings.
    """
    wanted = DERIVED[name]
    # The name of the source is its namespace, and the last part of a taint.
    text = (folder / f"{wanted.source}.json").read_text().replace(wanted.source, name)
    source: Obj = json.loads(text)
    for obj in source["objects"]:
        wanted.change(obj)
    return {
        "name": name,
        "kubernetes": source["kubernetes"],
        "cgroup": wanted.cgroup or source["cgroup"],
        "derived_from": wanted.source,
        **{key: value for key, value in source.items() if key not in ("name", "kubernetes", "cgroup")},
    }


def derive(folder: Path = RECORDED) -> Iterator[str]:
    """Write the derived recordings unless a cluster has shown their cause; yield their names."""
    for name in DERIVED:
        path = folder / f"{name}.json"
        if not path.exists() or "derived_from" in json.loads(path.read_text()):
            path.write_text(recording_text(derived(name, folder)))
            yield name


if __name__ == "__main__":
    for each in derive():
        print(f"{each}: derived from {DERIVED[each].source}")
