"""Remove expired environments, leftovers of killed commands and, if asked, the caches: `seatrial clean`."""

from __future__ import annotations

from collections.abc import Callable, Collection

from seatrial.app import environments, shared_environments
from seatrial.app.wiring import Machine
from seatrial.model.spec import Project

__all__ = ["clean_up"]


def clean_up(
    this: Machine,
    project: Project | None,
    say: Callable[[str], None],
    *,
    everything: bool = False,
    cache: bool = False,
    keep: Collection[int] | None = None,
) -> list[str]:
    """Remove environments and caches that nothing needs, and return their names.

    Args:
        this: the machine.
        project: the project whose cluster is cleaned too; None: only this machine.
        say: prints a line for the user.
        everything: also remove kept environments that have not expired.
        cache: also remove the registry's volume and the images built for projects.
        keep: pull requests whose environments stay, others go; None: they stay until they expire.
    """
    with this.ledger.locked():
        removed = environments.reap(this, this.clock.now(), say, everything=everything)
    if project is not None and (keep is not None or project.cluster.provider == "existing"):
        removed += _clean_cluster(this, project, say, keep)
    if cache:
        removed += environments.drop_cache(this, say)
    return removed


def _clean_cluster(
    this: Machine, project: Project, say: Callable[[str], None], keep: Collection[int] | None
) -> list[str]:
    """Remove environments in the project's cluster that have expired or whose pull request is not in `keep`."""
    found = shared_environments.list_environments(this, project)
    names = shared_environments.expired(found, this.clock.now())
    if keep is not None:
        names |= shared_environments.superfluous((each.name for each in found), keep)
    removed = shared_environments.remove(this, project, names, say)
    return removed + shared_environments.remove_from_foreign_namespaces(this, project, say)
