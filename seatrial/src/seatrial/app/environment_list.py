"""List the environments of this machine, and those that other machines created in the project's cluster."""

from __future__ import annotations

from datetime import datetime

import msgspec

from seatrial.app import environments, shared_environments
from seatrial.app.wiring import Machine
from seatrial.model.environment_record import EnvironmentRecord
from seatrial.model.spec import Project

__all__ = ["ListedEnvironment", "list_environments"]


class ListedEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment.

    Attributes:
        cluster: name of the cluster, or of the Compose project.
        kind: kubernetes or compose.
        created_by: the command that created it; `another machine` if it is not in the ledger.
        state: for people.
        policies: enforced, ignored or unknown; empty if they were not verified or do not apply.
        environment: its id in the ledger; empty if it is not in the ledger of this machine.
    """

    cluster: str
    kind: str = "kubernetes"
    namespace: str = ""
    project: str
    created_by: str
    state: str
    policies: str = ""
    environment: str = ""


def list_environments(this: Machine, project: Project | None) -> list[ListedEnvironment]:
    """Return the environments of this machine, and those of the project's cluster if seatrial did not create that.

    Args:
        this: the machine.
        project: the project; None: this directory has no project.
    """
    listed = [_of_record(this, record) for record in this.ledger.records()]
    listed += [
        ListedEnvironment(
            cluster=stray.name,
            project="",
            created_by="run",
            state="left by a killed command: the next run, up, down or clean removes it",
        )
        for stray in environments.strays(this)
    ]
    known = {(each.cluster, each.namespace) for each in listed}
    if project is not None and project.cluster.provider == "existing":
        listed += [each for each in _of_other_machines(this, project) if (each.cluster, each.namespace) not in known]
    return listed


def _of_record(this: Machine, record: EnvironmentRecord) -> ListedEnvironment:
    if environments.is_in_use(this, record):
        state = "in use"
    elif not record.kept:
        state = "left by a killed command: the next command removes it"
    elif record.expires > this.clock.now():
        state = _until(record.expires)
    else:
        state = "expired: the next command removes it"
    return ListedEnvironment(
        cluster=record.cluster,
        kind="compose" if record.provider == "compose" else "kubernetes",
        namespace=record.namespace,
        project=record.project,
        created_by=record.command,
        state=state,
        environment=record.id,
    )


def _of_other_machines(this: Machine, project: Project) -> list[ListedEnvironment]:
    return [
        ListedEnvironment(
            cluster=str(project.cluster.context),
            namespace=each.name,
            project=each.project,
            created_by="another machine",
            state=f"in use by {each.holder}" if each.holder else _until(each.expires),
            policies=each.policies,
        )
        for each in shared_environments.list_environments(this, project, all_projects=True)
    ]


def _until(moment: datetime) -> str:
    return f"kept until {moment.astimezone():%Y-%m-%d %H:%M}"
