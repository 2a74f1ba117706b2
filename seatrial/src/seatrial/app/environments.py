"""Find, create, claim and remove the environments of this user."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from seatrial.app.wiring import EXPIRY, Machine, OrphanedNodes, orphaned_nodes
from seatrial.model.deadline import Deadline
from seatrial.model.environment_record import Created, EnvironmentRecord
from seatrial.model.errors import SeatrialError, UsageError
from seatrial.model.names import EnvironmentId, new_environment_id
from seatrial.model.spec import Project
from seatrial.namespaces import lease
from seatrial.ports import Kube
from seatrial.removal.keep import Fate
from seatrial.removal.removers import remove_resources
from seatrial.saved_state import read_built

__all__ = [
    "NO_ENVIRONMENT",
    "claim",
    "create",
    "describe",
    "drop_cache",
    "find",
    "find_or_create",
    "guest_environments",
    "is_in_use",
    "reap",
    "remove",
    "require",
    "settle",
    "strays",
]

_REMOVAL_SECONDS = 120.0
_REGISTRY = Created(kind="container", name="seatrial")

NO_ENVIRONMENT = "there is no environment of this project"

Say = Callable[[str], None]


def find(this: Machine, project: Project, namespace: str = "") -> EnvironmentRecord | None:
    """Return the kept environment of a project, or its guest environment `namespace`; None if it does not exist."""
    for record in reversed(this.ledger.records()):
        if _is_of(record, project, namespace) and record.kept and _belongs(this, project, record):
            return record
    return None


def require(this: Machine, project: Project, namespace: str = "") -> EnvironmentRecord:
    """Return the kept environment of a project, for reading.

    Raises:
        UsageError: the environment does not exist, or is still being created.
    """
    record = find(this, project, namespace)
    if record is None:
        _refuse_while_created(this, project, namespace)
        option = f" --namespace {namespace}" if namespace else ""
        what = f"there is no environment {namespace} of this project here" if namespace else NO_ENVIRONMENT
        raise UsageError(what, hint=f"seatrial up{option}")
    return record


def _refuse_while_created(this: Machine, project: Project, namespace: str) -> None:
    """Raise a UsageError while another `seatrial up` creates the environment."""
    for record in this.ledger.records():
        is_new = record.command == "up" and not record.kept
        if is_new and _is_of(record, project, namespace) and is_in_use(this, record):
            raise UsageError(
                "another command is still creating the environment", hint="seatrial list shows when it is ready"
            )


def _is_of(record: EnvironmentRecord, project: Project, namespace: str) -> bool:
    same = record.project == str(project.root) and record.namespace == namespace
    return same and (record.provider == "compose") == (project.environment == "compose")


def claim(this: Machine, project: Project, namespace: str = "") -> EnvironmentRecord:
    """Return the kept environment of a project, locked for this process.

    Raises:
        UsageError: the environment does not exist, or another command uses it.
    """
    record = require(this, project, namespace)
    _lock(this, record)
    # Another command may have used or removed it before the lock.
    current = this.ledger.record(record.id)
    if current is None:
        this.ledger.forget(record.id)
        return claim(this, project, namespace)
    return current


def guest_environments(this: Machine, record: EnvironmentRecord) -> list[EnvironmentRecord]:
    """Return the environments that live in the cluster of another one."""
    return [each for each in this.ledger.records() if each.host == record.id]


def _lock(this: Machine, record: EnvironmentRecord) -> None:
    if not this.ledger.claim(record.id):
        raise UsageError(
            f"environment {record.namespace or record.cluster} is in use by another command",
            hint="wait for that command, or end it",
        )


def _belongs(this: Machine, project: Project, record: EnvironmentRecord) -> bool:
    """Whether an environment lives in the project's configured cluster, a guest environment in that of its host."""
    if record.provider == "compose":
        return True
    if not record.host:
        wanted = _cluster_of(project)
        return record.cluster in (wanted, _other_name(wanted, record.id))
    return any(each.id == record.host for each in this.ledger.records())


def find_or_create(
    this: Machine, project: Project, *, say: Say, namespace: str = "", host: EnvironmentRecord | None = None
) -> EnvironmentRecord:
    """Return the kept environment of a project, or a new one if it does not exist or its cluster was deleted.

    Args:
        this: the machine.
        project: the project.
        say: prints a line for the user.
        namespace: name of a guest environment; empty: the project's own environment.
        host: the environment whose kind cluster the guest environment lives in.

    Raises:
        UsageError: another command uses it.
    """
    if find(this, project, namespace) is not None:
        record = claim(this, project, namespace)
        if record.provider != "kind" or (this.kind(record).exists() and record.host == (host.id if host else "")):
            return record
        say(f"cluster {record.cluster} was not found; creating a new one")
        remove(this, record)
    else:
        # A second `up` of the project must not create a second cluster.
        _refuse_while_created(this, project, namespace)
    return create(this, project, command="up", say=say, namespace=namespace, host=host)


def create(
    this: Machine,
    project: Project,
    *,
    command: str,
    say: Say,
    namespace: str = "",
    host: EnvironmentRecord | None = None,
) -> EnvironmentRecord:
    """Return the record of a new environment, written and locked, with a free cluster name or that of its host.

    `run` replaces an environment that an earlier `run` kept. If another environment has the configured cluster name,
    the new one gets another name and no host ports.
    """
    now = this.clock.now()
    with this.ledger.locked():
        reap(this, now, say)
        wanted = _cluster_of(project)
        identifier = new_environment_id()
        present = _present(this, project, namespace)
        replaces = present and command == "run" == present.command and present.project == str(project.root)
        if present and replaces and this.ledger.claim(present.id):
            say(f"removing {describe(present)}, which an earlier run kept")
            remove(this, present)
            present = None
        name, foreground = wanted, True
        if project.environment == "compose":
            # Each project on the engine has its own name, so any number of them can be up.
            name = f"{wanted}-{identifier}"
        elif host is not None:
            name, foreground = host.cluster, False
        elif present and project.cluster.provider == "kind":
            if present.project != str(project.root):
                say(f"cluster name {wanted} is in use by the project in {present.project}")
            name, foreground = _other_name(wanted, identifier), False
            say(f"cluster {wanted} is in use; creating {name} without host ports")
        record = EnvironmentRecord(
            id=identifier,
            project=str(project.root),
            identity=project.identity,
            command="up" if command == "up" else "run",
            provider="compose" if project.environment == "compose" else project.cluster.provider,
            cluster=name,
            created=now,
            expires=now + EXPIRY,
            foreground=foreground,
            namespace=namespace,
            host=host.id if host else "",
        )
        this.ledger.claim(identifier)
        this.ledger.write(record)
    return record


def _present(this: Machine, project: Project, namespace: str) -> EnvironmentRecord | None:
    """Return the environment in the cluster that a new one would use; a Compose project that `run` kept."""
    if project.environment == "compose":
        left = (each for each in this.ledger.records() if _is_of(each, project, namespace) and each.command == "run")
        return next(left, None)
    wanted = _cluster_of(project)
    return next(
        (each for each in this.ledger.records() if each.cluster == wanted and each.namespace == namespace), None
    )


def reap(this: Machine, now: datetime, say: Say, *, everything: bool = False) -> list[str]:
    """Remove expired environments and those of commands that died; return their clusters or namespaces.

    Call it inside `Ledger.locked`.

    Args:
        this: the machine.
        now: the current time.
        say: prints a line for the user.
        everything: also remove kept environments that have not expired.
    """
    removed: list[str] = []
    deleted: set[str] = set()
    this.ledger.tidy()
    for stray in strays(this):
        say(f"removing containers of cluster {stray.name}: they were created after their command had died")
        resource = Created(kind="cluster", name=stray.name)
        access = this.access_to(this.record_of(stray))
        remove_resources([resource], access, deadline=Deadline.after(_REMOVAL_SECONDS))
        removed.append(stray.name)
    for listed in this.ledger.records():
        stays = _is_kept(this, listed, now) and not everything
        if listed.host in deleted or stays or not this.ledger.claim(listed.id):
            continue
        # Removals take seconds. Meanwhile the command that used it may have ended and kept it.
        record = this.ledger.record(listed.id)
        if record is None:
            this.ledger.forget(listed.id)
            continue
        kept = _is_kept(this, record, now)
        if kept and not everything:
            this.ledger.release(record.id)
            continue
        reason = "was kept" if kept else "has expired" if record.kept else "was left by a killed command"
        say(f"removing {describe(record)}, which {reason}")
        try:
            remove(this, record)
        except SeatrialError as error:
            say(f"{describe(record)} was not removed: {error.message}: {error.reason}")
            this.ledger.release(record.id)
        else:
            deleted.add(record.id)
            removed.append(record.namespace or record.cluster)
    return removed


def strays(this: Machine) -> list[OrphanedNodes]:
    """Return node containers of environments without a record; none if no engine answers."""
    try:
        return orphaned_nodes(this.engine, this.ledger.root, this.ledger.has)
    except SeatrialError:
        return []


def _is_kept(this: Machine, record: EnvironmentRecord, now: datetime) -> bool:
    """Return whether an environment is kept and has not expired, or a guest environment needs its cluster."""
    if record.is_kept_at(now) or not record.kept:
        return record.kept
    return any(each.is_kept_at(now) or is_in_use(this, each) for each in guest_environments(this, record))


def is_in_use(this: Machine, record: EnvironmentRecord) -> bool:
    """Whether a command uses an environment."""
    if not this.ledger.claim(record.id):
        return True
    this.ledger.release(record.id)
    return False


def describe(record: EnvironmentRecord) -> str:
    """Return what a message calls an environment."""
    place = f"cluster {record.cluster}"
    if record.provider == "compose":
        return f"Compose project {record.cluster}"
    if record.namespace:
        return f"environment {record.namespace} in {place}"
    return f"the environment in {place}" if record.shares else place


def remove(this: Machine, record: EnvironmentRecord) -> None:
    """Remove everything that was created for an environment, its guest environments and its record.

    The caller has locked it.

    Raises:
        EnvironmentFailed: a resource could not be removed; the record stays.
        UsageError: a command uses a guest environment, or another run uses the namespace.
    """
    deadline = Deadline.after(_REMOVAL_SECONDS)
    guests = guest_environments(this, record)
    for each in guests:
        _lock(this, each)
    access = this.access_to(record)
    if record.provider == "compose":
        remove_resources(record.resources, access, deadline=deadline)
        this.ledger.forget(record.id)
        return
    is_deleted = bool(record.host) and not access.cluster.cluster.exists()
    # A deleted cluster took everything in it with it.
    in_cluster = [] if is_deleted else [each for each in record.resources if each.kind != "container"]
    if record.shares and in_cluster:
        _take_leases(this, record, access.cluster.connect(), deadline)
    # The last environment of a user removes the registry, whichever environment created it.
    registry = next((each for each in record.resources if each.kind == "container"), _REGISTRY)
    remove_resources([*in_cluster, registry], access, deadline=deadline)
    for each in guests:
        this.ledger.forget(each.id)
    this.ledger.forget(record.id)


def _take_leases(this: Machine, record: EnvironmentRecord, kube: Kube, deadline: Deadline) -> None:
    """Take the Lease of each namespace of an environment.

    Raises:
        UsageError: another run uses a namespace.
    """
    for resource in record.resources:
        if resource.kind in ("namespace", "objects") and kube.get(lease.KIND, lease.NAME, resource.name) is not None:
            holder = f"{this.holder} removes it"
            lease.Lease(kube, resource.name, holder=holder, labels=record.owner_labels, clock=this.clock).take(deadline)


def drop_cache(this: Machine, say: Say) -> list[str]:
    """Remove the registry's volume and the images built for this user's projects; return what was removed."""
    if this.ledger.records():
        say("the cache was not removed: an environment is up and pulls from it")
        return []
    registry = this.registry()
    registry.remove()
    # Images of other users on the same engine have the same label.
    built = {each.reference for each in read_built(this.ledger.root / "shared").values()}
    return this.engine.delete_cache(volume=registry.volume, label="seatrial.dev/project", images=built)


def settle(this: Machine, record: EnvironmentRecord, fate: Fate) -> None:
    """Unlock an environment at the end of a command, and keep it or delete its record.

    Args:
        this: the machine.
        record: the environment.
        fate: what the end of the run decided.
    """
    is_empty = not (record.resources or record.kept)
    if fate is Fate.REMOVED or (fate is Fate.LEFT and is_empty):
        this.ledger.forget(record.id)
        return
    if fate is Fate.KEPT:
        this.ledger.write(replace(record, kept=True, expires=this.clock.now() + EXPIRY))
    this.ledger.release(record.id)


def _other_name(wanted: str, environment: EnvironmentId) -> str:
    """Return the cluster name of an environment if the configured name is in use."""
    return f"{wanted}-{environment[:4]}"


def _cluster_of(project: Project) -> str:
    spec = project.cluster
    if project.environment == "compose" or spec.provider == "kind":
        return spec.name
    return str(spec.context)
