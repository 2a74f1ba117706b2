"""The planted causes: mechanism, target, and client of each test. The planter reads the same list."""

from __future__ import annotations

from itertools import cycle

TWICE = (
    "oom", "exit3", "exit0", "abort", "delete", "force-delete", "evict", "live", "ready", "policy", "scale0",
    "never-pull", "registry", "invalid-image", "no-command", "crash-loop", "config-key", "mount", "too-big",
    "node-selector", "init", "quota", "selector", "target-port", "delete-service",
)  # fmt: skip
"""Planted both in the service that the test asks, and in the one that this service uses."""

ONCE = ("error500", "full", "wrong-password", "storage-limit", "throttled")
"""Planted in one of the two only."""

ALONE = ("dns", "paused-node", "tainted-node", "drained-node", "webhook")
"""Planted while no other test runs, in stack d: they concern a node or the whole cluster."""

IN_DB = ("wrong-password",)


def plants() -> list[tuple[str, str, str, str]]:
    """Return stack, mechanism, target and client of each test."""
    clients, stacks = cycle(("service", "urllib", "httpx", "marker")), cycle("abc")
    pairs = [(name, target) for name in TWICE for target in ("web", "db")]
    pairs += [(name, "db" if name in IN_DB else "web") for name in ONCE]
    spread = [(next(stacks), name, target, next(clients)) for name, target in pairs]
    return spread + [("d", name, "web", "service") for name in ALONE]
