"""What we made on this machine, as the ledger remembers it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from seatrial.model.names import (
    LABEL_EXPIRES,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_SESSION,
    OWNER,
    SessionId,
    label_value,
)

__all__ = ["SESSION_SCHEMA", "Made", "Session"]

SESSION_SCHEMA: Final = 1


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that cannot carry labels of ours, written down before it is made.

    Attributes:
        name: of a release with its namespace before it: `shop/web`; of objects their namespace, which is not ours.
        identity: what tells it from a later one of the same name: a container id; empty while it is being made.
    """

    kind: Literal["cluster", "container", "namespace", "objects", "release"]
    name: str
    identity: str = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One environment from its first creation to its removal.

    Attributes:
        project: directory of the project that it belongs to.
        identity: the project's id, which its objects are labelled with; empty in records of older versions.
        command: who made it: `run` replaces what `run` left; what `up` made ends by `down` only.
        kept: whether it outlives the command that made it. What is not kept and has no living owner is reaped.
        expires: when it is reaped although it is kept.
        foreground: whether it has the configured cluster name and host ports.
        namespace: what `--namespace` said; empty: the project's own namespaces.
        host: the session whose kind cluster this one lives in; empty: the cluster is its own, or somebody else's.
    """

    session: SessionId
    project: str
    identity: str = ""
    command: Literal["run", "up"]
    provider: Literal["kind", "existing"]
    cluster: str
    created: datetime
    expires: datetime
    kept: bool = False
    foreground: bool = True
    namespace: str = ""
    host: str = ""
    made: tuple[Made, ...] = ()
    schema: int = SESSION_SCHEMA

    @property
    def project_label(self) -> str:
        """The value of the project's label on the objects of this session."""
        # Older versions labelled objects with the name of the project's directory.
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
        """The labels of an object: its project, its session, and when it expires in seconds since the epoch."""
        expires = str(int(self.expires.timestamp()))
        return {**self.owner_labels, LABEL_SESSION: self.session, LABEL_EXPIRES: expires}

    @property
    def shares(self) -> bool:
        """Whether others live in its cluster, so that it cleans up behind itself and touches only what is its own."""
        return self.provider == "existing" or bool(self.host)
