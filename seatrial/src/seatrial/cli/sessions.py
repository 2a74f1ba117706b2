"""Which session a command works in: found, made, replaced, reaped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from seatrial.cli.wiring import EXPIRY, VOLUME, Machine, environment
from seatrial.model.deadline import Deadline
from seatrial.model.errors import EnvironmentFailed, SeatrialError, UsageError
from seatrial.model.names import new_session_id
from seatrial.model.session import Made, Session
from seatrial.model.spec import Project

__all__ = [
    "claim_kept",
    "drop_cache",
    "find",
    "found_or_new",
    "new_session",
    "reap",
    "remember",
    "remove",
    "require",
    "settle",
]

_REMOVAL_SECONDS = 120.0

Say = Callable[[str], None]


def find(this: Machine, project: Project) -> Session | None:
    """Return the kept session of a project, None if there is none."""
    for session in reversed(this.ledger.sessions()):
        if session.project == str(project.root) and session.kept and _cluster_of(project) in (session.cluster, "*"):
            return session
    return None


def require(this: Machine, project: Project) -> Session:
    """Return the kept session of a project, for a look at it.

    Raises:
        UsageError: there is none.
    """
    session = find(this, project)
    if session is None:
        raise UsageError("there is no environment of this project", try_="seatrial up")
    return session


def claim_kept(this: Machine, project: Project) -> Session:
    """Return the kept session of a project, which is ours from now on.

    Raises:
        UsageError: there is none, or another command works in it.
    """
    session = require(this, project)
    if not this.ledger.claim(session.session):
        raise UsageError(
            f"another command works in the environment {session.cluster}", try_="wait for it, or end it: seatrial list"
        )
    return session


def found_or_new(this: Machine, project: Project, *, say: Say) -> Session:
    """Return the kept session of a project, or a new one if there is none, or if somebody removed its cluster.

    Raises:
        UsageError: another command works in it.
    """
    if find(this, project) is not None:
        session = claim_kept(this, project)
        if session.provider != "kind" or this.kind(session).exists():
            return session
        say(f"cluster {session.cluster} is gone: making a new one")
        remove(this, session)
    return new_session(this, project, command="up", say=say)


def new_session(this: Machine, project: Project, *, command: str, say: Say) -> Session:
    """Return a new session with a cluster name that is free, written down and ours.

    A kept session that `run` left is replaced by the next `run`. What `up` made, and what runs now, is left alone: then
    the new one gets another name and no host ports.
    """
    now = this.clock.now()
    with this.ledger.alone():
        reap(this, now, say)
        wanted = _cluster_of(project)
        identifier = new_session_id()
        holder = next((each for each in this.ledger.sessions() if each.cluster == wanted), None)
        replaces = holder and command == "run" == holder.command and holder.project == str(project.root)
        if holder and replaces and this.ledger.claim(holder.session):
            say(f"removing cluster {holder.cluster}, which an earlier run left")
            remove(this, holder)
            holder = None
        name, foreground = wanted, True
        if holder and project.cluster.provider == "kind":
            if holder.project != str(project.root):
                say(f"cluster name {wanted} is in use by the project in {holder.project}")
            name, foreground = f"{wanted}-{identifier[:4]}", False
            say(f"cluster {wanted} is in use: this one is {name}, without host ports")
        session = Session(
            session=identifier,
            project=str(project.root),
            command="up" if command == "up" else "run",
            provider=project.cluster.provider,
            cluster=name,
            created=now,
            expires=now + EXPIRY,
            foreground=foreground,
        )
        this.ledger.claim(identifier)
        this.ledger.write(session)
    return session


def reap(this: Machine, now: datetime, say: Say, *, everything: bool = False) -> list[str]:
    """Remove sessions whose owner is dead or whose time is over, and return their clusters. Call it alone.

    Args:
        this: the machine.
        now: the time.
        say: tells a person.
        everything: also what was kept and has not expired.
    """
    removed = []
    for session in this.ledger.sessions():
        alive = session.kept and session.expires > now
        if (alive and not everything) or not this.ledger.claim(session.session):
            continue
        why = "was kept" if alive else "has expired" if session.kept else "was left by a command that died"
        say(f"removing cluster {session.cluster}, which {why}")
        try:
            remove(this, session)
        except SeatrialError as error:
            say(f"{session.cluster} stays: {error.what}: {error.why}")
            this.ledger.release(session.session)
        else:
            removed.append(session.cluster)
    return removed


def remove(this: Machine, session: Session, project: Project | None = None) -> None:
    """Remove all that a session made, and the session from the books; it must be ours.

    Args:
        this: the machine.
        session: the session.
        project: its project, if that is known: needed to reach a cluster that somebody else made.

    Raises:
        EnvironmentFailed: something could not be removed; the session stays on the books.
    """
    deadline = Deadline.after(_REMOVAL_SECONDS)
    if session.provider == "existing":
        if project is None:
            raise EnvironmentFailed(
                f"what the project in {session.project} made in {session.cluster} can be removed from there only",
                try_=f"seatrial -C {session.project} down",
            )
        _remove_objects(this, session, project, deadline)
    for made in reversed(session.made):
        if made.kind == "cluster" and _is_ours(this, session, made):
            this.kind(session).delete(deadline=deadline)
    if this.is_last(session):
        this.registry().remove()
    this.ledger.forget(session.session)


def _remove_objects(this: Machine, session: Session, project: Project, deadline: Deadline) -> None:
    """Remove our releases and namespaces from a cluster of somebody else's."""
    env = environment(this, project, session)
    kube = env.cluster.connect()
    for made in reversed(session.made):
        if made.kind == "release":
            for release in project.release:
                if made.name == f"{release.namespace}/{release.name}":
                    env.charts.recover(release, good=None, deadline=deadline)
        elif made.kind == "namespace":
            kube.delete("v1/Namespace", made.name)


def _is_ours(this: Machine, session: Session, made: Made) -> bool:
    """Whether the cluster of that name is the one that the session made, and not a later one of somebody else."""
    return not made.identity or this.kind(session).identity() in ("", made.identity)


def drop_cache(this: Machine, say: Say) -> list[str]:
    """Remove the registry's volume and images that were built for projects, and return what went."""
    if this.ledger.sessions():
        say("the cache stays: an environment is up and pulls from it")
        return []
    this.registry().remove()
    return this.engine.drop(volume=VOLUME, label="seatrial.dev/project")


def remember(this: Machine, session: Session, made: Made) -> Session:
    """Write down what is about to be made, or what it became; return the session with it."""
    others = tuple(each for each in session.made if (each.kind, each.name) != (made.kind, made.name))
    updated = replace(session, made=(*others, made))
    this.ledger.write(updated)
    return updated


def settle(this: Machine, session: Session, *, gone: bool, keep: bool) -> None:
    """End the work in a session.

    Args:
        this: the machine.
        session: the session.
        gone: nothing of it is left: it goes off the books.
        keep: it is kept for the next command; else, if it is not gone, the next command reaps it.
    """
    if gone:
        this.ledger.forget(session.session)
        return
    if keep:
        this.ledger.write(replace(session, kept=True, expires=this.clock.now() + EXPIRY))
    this.ledger.release(session.session)


def _cluster_of(project: Project) -> str:
    spec = project.cluster
    return spec.name if spec.provider == "kind" else str(spec.context)
