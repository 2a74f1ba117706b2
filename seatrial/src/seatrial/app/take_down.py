"""Remove the environment of a project, on whatever machine it was created: `seatrial down`."""

from __future__ import annotations

from collections.abc import Callable

from seatrial.app import environments, shared_environments
from seatrial.app.wiring import Machine, environment
from seatrial.model.spec import Project

__all__ = ["take_down"]


def take_down(this: Machine, project: Project, namespace: str, say: Callable[[str], None]) -> None:
    """Remove the environment of a project, and environments of killed commands.

    Args:
        this: the machine.
        project: the project.
        namespace: name of a guest environment; empty: the project's own environment.
        say: prints a line for the user.

    Raises:
        EnvironmentFailed: a resource could not be removed.
        UsageError: another command uses the environment.
    """
    with this.ledger.locked():
        reaped = environments.reap(this, this.clock.now(), say)
    if environments.find(this, project, namespace) is None:
        # Another machine may have created it, for example a CI job.
        removed = namespace and shared_environments.remove(this, project, {namespace}, say)
        if not (removed or reaped):
            say(f"there is no environment {namespace} of this project" if namespace else environments.NO_ENVIRONMENT)
        return
    record = environments.claim(this, project, namespace)
    if record.provider == "existing":
        # Updates the environment's copy of the kubeconfig: the user may have corrected it since.
        environment(this, project, record)
    guests = sorted(each.namespace for each in environments.guest_environments(this, record))
    environments.remove(this, record)
    also = f" and the environments in it: {', '.join(guests)}" if guests else ""
    say(f"removed {environments.describe(record)}{also}")
