"""Which session a command works in: found, made, replaced, reaped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from seatrial.app.wiring import EXPIRY, Machine, Stray, kind_strays
from seatrial.model.deadline import Deadline
from seatrial.model.errors import SeatrialError, UsageError
from seatrial.model.names import SessionId, new_session_id
from seatrial.model.session import Made, Session
from seatrial.model.spec import Project, ReleaseSpec
from seatrial.namespaces import lease
from seatrial.namespaces.ownership import delete_namespace, delete_own_objects
from seatrial.saved_state import read

__all__ = [
    "NONE",
    "claim_kept",
    "drop_cache",
    "find",
    "found_or_new",
    "guests",
    "new_session",
    "reap",
    "remember",
    "remove",
    "require",
    "settle",
    "strays",
]

_REMOVAL_SECONDS = 120.0
NONE = "there is no environment of this project"

Say = Callable[[str], None]


def find(this: Machine, project: Project, namespace: str = "") -> Session | None:
    """Return the kept session of a project, or of its environment in a namespace of its own; None if there is none."""
    for session in reversed(this.ledger.sessions()):
        if _is_of(session, project, namespace) and session.kept and _belongs(this, project, session):
            return session
    return None


def require(this: Machine, project: Project, namespace: str = "") -> Session:
    """Return the kept session of a project, for a look at it.

    Raises:
        UsageError: there is none, or not yet.
    """
    session = find(this, project, namespace)
    if session is None:
        _refuse_if_being_made(this, project, namespace)
        option = f" --namespace {namespace}" if namespace else ""
        what = f"there is no environment {namespace} of this project here" if namespace else NONE
        raise UsageError(what, hint=f"seatrial up{option}")
    return session


def _refuse_if_being_made(this: Machine, project: Project, namespace: str) -> None:
    """Raise a UsageError while a `seatrial up` is at it that has not come to its end."""
    for session in this.ledger.sessions():
        making = session.command == "up" and not session.kept
        if making and _is_of(session, project, namespace) and _in_use(this, session):
            raise UsageError(
                "the environment is still being made, by another command", hint="wait for it: seatrial list"
            )


def _is_of(session: Session, project: Project, namespace: str) -> bool:
    return session.project == str(project.root) and session.namespace == namespace


def claim_kept(this: Machine, project: Project, namespace: str = "") -> Session:
    """Return the kept session of a project, which is ours from now on.

    Raises:
        UsageError: there is none, or another command works in it.
    """
    session = require(this, project, namespace)
    _claim(this, session)
    # Between the two it may have been worked in, or been taken down.
    current = this.ledger.session(session.session)
    if current is None:
        this.ledger.forget(session.session)
        return claim_kept(this, project, namespace)
    return current


def guests(this: Machine, session: Session) -> list[Session]:
    """Return the sessions that live in the cluster of another one."""
    return [each for each in this.ledger.sessions() if each.host == session.session]


def _claim(this: Machine, session: Session) -> None:
    if not this.ledger.claim(session.session):
        raise UsageError(
            f"another command works in the environment {session.namespace or session.cluster}",
            hint="wait for it, or end it: seatrial list",
        )


def _belongs(this: Machine, project: Project, session: Session) -> bool:
    """Whether a session lives in the cluster that the project says; a guest in that of its host."""
    if not session.host:
        wanted = _cluster_of(project)
        return session.cluster in (wanted, _other_name(wanted, session.session))
    return any(each.session == session.host for each in this.ledger.sessions())


def found_or_new(
    this: Machine, project: Project, *, say: Say, namespace: str = "", host: Session | None = None
) -> Session:
    """Return the kept session of a project, or a new one if there is none, or if somebody removed its cluster.

    Args:
        this: the machine.
        project: the project.
        say: tells a person.
        namespace: of an environment beside others; empty: the project's own.
        host: the session with the kind cluster that such an environment lives in.

    Raises:
        UsageError: another command works in it.
    """
    if find(this, project, namespace) is not None:
        session = claim_kept(this, project, namespace)
        if session.provider != "kind" or (
            this.kind(session).exists() and session.host == (host.session if host else "")
        ):
            return session
        say(f"cluster {session.cluster} is gone: making a new one")
        remove(this, session)
    else:
        # A second cluster is not what a second `up` of the same project is meant for.
        _refuse_if_being_made(this, project, namespace)
    return new_session(this, project, command="up", say=say, namespace=namespace, host=host)


def new_session(
    this: Machine, project: Project, *, command: str, say: Say, namespace: str = "", host: Session | None = None
) -> Session:
    """Return a new session with a cluster name that is free, written down and ours; a guest has that of its host.

    A kept session that `run` left is replaced by the next `run`. What `up` made, and what runs now, is left alone: then
    the new one gets another name and no host ports.
    """
    now = this.clock.now()
    with this.ledger.alone():
        reap(this, now, say)
        wanted = _cluster_of(project)
        identifier = new_session_id()
        holder = next(
            (each for each in this.ledger.sessions() if each.cluster == wanted and each.namespace == namespace), None
        )
        replaces = holder and command == "run" == holder.command and holder.project == str(project.root)
        if holder and replaces and this.ledger.claim(holder.session):
            say(f"removing {_called(holder)}, which an earlier run left")
            remove(this, holder)
            holder = None
        name, foreground = wanted, True
        if host is not None:
            name, foreground = host.cluster, False
        elif holder and project.cluster.provider == "kind":
            if holder.project != str(project.root):
                say(f"cluster name {wanted} is in use by the project in {holder.project}")
            name, foreground = _other_name(wanted, identifier), False
            say(f"cluster {wanted} is in use: this one is {name}, without host ports")
        session = Session(
            session=identifier,
            project=str(project.root),
            identity=project.identity,
            command="up" if command == "up" else "run",
            provider=project.cluster.provider,
            cluster=name,
            created=now,
            expires=now + EXPIRY,
            foreground=foreground,
            namespace=namespace,
            host=host.session if host else "",
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
    removed: list[str] = []
    gone: set[str] = set()
    this.ledger.tidy()
    for cluster in strays(this):
        say(f"removing containers of cluster {cluster.name}, which were made after their command had died")
        cluster.remove(Deadline.after(_REMOVAL_SECONDS))
        removed.append(cluster.name)
    for listed in this.ledger.sessions():
        stays = _is_kept(this, listed, now) and not everything
        if listed.host in gone or stays or not this.ledger.claim(listed.session):
            continue
        # Removing takes seconds: since the list was read, its owner may have come to its end, and have kept it.
        session = this.ledger.session(listed.session)
        if session is None:
            this.ledger.forget(listed.session)
            continue
        kept = _is_kept(this, session, now)
        if kept and not everything:
            this.ledger.release(session.session)
            continue
        reason = "was kept" if kept else "has expired" if session.kept else "was left by a command that died"
        say(f"removing {_called(session)}, which {reason}")
        try:
            remove(this, session)
        except SeatrialError as error:
            say(f"{_called(session)} stays: {error.message}: {error.reason}")
            this.ledger.release(session.session)
        else:
            gone.add(session.session)
            removed.append(session.namespace or session.cluster)
    return removed


def strays(this: Machine) -> list[Stray]:
    """Return node containers of sessions that are on the books no more; none if no engine answers."""
    try:
        return kind_strays(this.engine, this.ledger.root, this.ledger.has)
    except SeatrialError:
        return []


def _is_kept(this: Machine, session: Session, now: datetime) -> bool:
    """Whether a session is there to be gone on in: itself, or its guests."""
    return session.kept and (session.expires > now or any(_lives(this, each, now) for each in guests(this, session)))


def _lives(this: Machine, session: Session, now: datetime) -> bool:
    """Whether a guest is kept, or a command works in it."""
    return (session.kept and session.expires > now) or _in_use(this, session)


def _in_use(this: Machine, session: Session) -> bool:
    """Whether a command works in a session."""
    if not this.ledger.claim(session.session):
        return True
    this.ledger.release(session.session)
    return False


def _called(session: Session) -> str:
    place = f"cluster {session.cluster}"
    if session.namespace:
        return f"environment {session.namespace} in {place}"
    return f"what was made in {place}" if session.shares else place


def remove(this: Machine, session: Session) -> None:
    """Remove all that a session made, and the session from the books; it must be ours. Its guests go with its cluster.

    Raises:
        EnvironmentFailed: something could not be removed; the session stays on the books.
        UsageError: a command works in a guest, or another run in the namespace.
    """
    deadline = Deadline.after(_REMOVAL_SECONDS)
    lodgers = guests(this, session)
    for each in lodgers:
        _claim(this, each)
    if session.shares:
        _remove_objects(this, session, deadline)
    if any(made.kind == "cluster" for made in session.made):
        this.kind(session).delete(deadline=deadline)
    for each in lodgers:
        this.ledger.forget(each.session)
    if this.is_last(session):
        this.registry().remove()
    this.ledger.forget(session.session)


def _remove_objects(this: Machine, session: Session, deadline: Deadline) -> None:
    """Remove our releases and namespaces from a cluster that others use too, once no other run works there."""
    if not session.made or (session.host and not this.kind(session).exists()):
        return
    kube, charts = this.cluster_of(session).connect(), this.charts_of(session)
    places = [made.name for made in session.made if made.kind in ("namespace", "objects")]
    for place in places:
        if kube.get("coordination.k8s.io/v1/Lease", lease.NAME, place) is not None:
            lease.Lease(
                kube, place, holder=f"{this.holder} removes it", labels=session.owner_labels, clock=this.clock
            ).take(deadline)
    for made in reversed(session.made):
        if made.kind == "release":
            namespace, _, name = made.name.partition("/")
            charts.recover(ReleaseSpec(name=name, chart="", namespace=namespace), good=None, deadline=deadline)
        elif made.kind == "namespace":
            delete_namespace(kube, made.name, session.session)
        elif made.kind == "objects":
            delete_own_objects(kube, made.name, session.owner_selector)


def drop_cache(this: Machine, say: Say) -> list[str]:
    """Remove the registry's volume and the images that this user's projects built, and return what went."""
    if this.ledger.sessions():
        say("the cache stays: an environment is up and pulls from it")
        return []
    registry = this.registry()
    registry.remove()
    # The label alone does not say whose an image is: another user's images on the same engine have it, too.
    built = read(this.ledger.root / "shared" / "built.json", dict[str, str]) or {}
    return this.engine.drop(volume=registry.volume, label="seatrial.dev/project", images=set(built.values()))


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
    if gone or not (keep or session.made or session.kept):
        this.ledger.forget(session.session)
        return
    if keep:
        this.ledger.write(replace(session, kept=True, expires=this.clock.now() + EXPIRY))
    this.ledger.release(session.session)


def _other_name(wanted: str, session: SessionId) -> str:
    """Return the name of a session's cluster where the one that the project says is in use."""
    return f"{wanted}-{session[:4]}"


def _cluster_of(project: Project) -> str:
    spec = project.cluster
    return spec.name if spec.provider == "kind" else str(spec.context)
