"""The record of an environment in the ledger: its cluster, its owner, its expiry and what was created for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from seatrial.model.names import (
    LABEL_ENVIRONMENT_ID,
    LABEL_EXPIRES,
    LABEL_OWNER,
    LABEL_PROJECT,
    OWNER,
    EnvironmentId,
    label_value,
)

__all__ = ["RECORD_SCHEMA", "Created", "EnvironmentRecord", "ResourceKind"]

RECORD_SCHEMA: Final = 1


ResourceKind = Literal["release", "objects", "namespace", "cluster", "container", "compose"]

_TITLES: Final[Mapping[ResourceKind, str]] = {
    "objects": "own objects in namespace",
    "container": "registry",
    "compose": "Compose project",
}


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that a stage creates, recorded before it exists.

    Attributes:
        kind: a Helm release, seatrial's objects in a namespace of another owner, a namespace, a kind cluster, the
            containers of the registry, or a Compose project.
        name: of a release with its namespace: `shop/web`; of objects the namespace.
        identity: distinguishes the resource from a later one of the same name: the id of the first node container of a
            cluster, the environment that owns a namespace or release. Empty while a cluster is being created.
    """

    kind: ResourceKind
    name: str
    identity: str = ""

    def __str__(self) -> str:
        """Kind and name, for messages."""
        return f"{_TITLES.get(self.kind, self.kind)} {self.name}"


class EnvironmentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One environment in the ledger, from its first creation to its removal.

    Attributes:
        id: `session` in the file, as older versions wrote it.
        project: directory of the project.
        identity: the project's id, the value of its label; empty in records of older versions.
        command: the command that created it: `run` replaces what `run` left; what `up` created stays until `down`.
        kept: whether it outlives the command that created it. Any command removes one that is not kept and not in use.
        expires: when any command removes it although it is kept.
        cluster: name of the cluster, or of the Compose project.
        foreground: whether it has the configured cluster name and host ports.
        namespace: the value of `--namespace`; empty: the namespaces of the configuration.
        resources: what was created for it; `made` in the file, as older versions wrote it.
        host: id of the environment whose kind cluster this one lives in; empty: it has its own, or an existing one.
    """

    id: EnvironmentId = msgspec.field(name="session")
    project: str
    identity: str = ""
    command: Literal["run", "up"]
    provider: Literal["kind", "existing", "compose"]
    cluster: str
    created: datetime
    expires: datetime
    kept: bool = False
    foreground: bool = True
    namespace: str = ""
    host: str = ""
    resources: tuple[Created, ...] = msgspec.field(default=(), name="made")
    schema: int = RECORD_SCHEMA

    def with_resource(self, resource: Created) -> EnvironmentRecord:
        """Return the record with a resource, in place of one of the same kind and name."""
        key = (resource.kind, resource.name)
        others = (each for each in self.resources if (each.kind, each.name) != key)
        return msgspec.structs.replace(self, resources=(*others, resource))

    def is_kept_at(self, moment: datetime) -> bool:
        """Return whether the environment is kept and does not expire before a moment."""
        return self.kept and self.expires > moment

    @property
    def project_label(self) -> str:
        """The value of the project's label on the objects of this environment."""
        # Older versions used the name of the project's directory.
        return self.identity or label_value(Path(self.project).name)

    @property
    def owner_labels(self) -> dict[str, str]:
        """The labels that say which project an object belongs to. They never change."""
        return {LABEL_OWNER: OWNER, LABEL_PROJECT: self.project_label}

    @property
    def owner_selector(self) -> str:
        """The label selector of all objects of the project."""
        return ",".join(f"{key}={value}" for key, value in self.owner_labels.items())

    @property
    def labels(self) -> dict[str, str]:
        """The labels of an object: its project, its environment, and when it expires in seconds since the epoch."""
        expires = str(int(self.expires.timestamp()))
        return {**self.owner_labels, LABEL_ENVIRONMENT_ID: self.id, LABEL_EXPIRES: expires}

    @property
    def shares(self) -> bool:
        """Whether its cluster has other users, so that it deletes what it created and touches nothing else."""
        return self.provider == "existing" or bool(self.host)
