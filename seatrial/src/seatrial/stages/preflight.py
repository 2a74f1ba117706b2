"""Preflight stage: find every problem that can be found before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from seatrial.chart_checks.check import check_objects, kubernetes_version
from seatrial.chart_checks.images import described_images, images_without_source, registry_host
from seatrial.cluster_checks.revive import ensure_cluster_answers
from seatrial.model.errors import UsageError, WrongInput
from seatrial.model.event import FindingMade
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.result import Stage
from seatrial.model.spec import ReleaseSpec
from seatrial.namespaces.lease import Lease
from seatrial.namespaces.ownership import claim_namespace, ensure_namespace
from seatrial.ports import EngineInfo, Object
from seatrial.releases.helm_records import check_owner
from seatrial.releases.planned_objects import placeholder_values, planned_objects, runner_references
from seatrial.releases.rendering import program_stamp, render_release
from seatrial.stages.context import Ctx, Report, done, unchanged

__all__ = ["Preflight", "run"]

_MIB: Final = 1024**2
_MEMORY: Final = 1024**3
"""A kind node without workloads takes 0.8 GiB."""

_DISK: Final = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the preflight stage found.

    Attributes:
        versions: program to version, of those that were checked.
    """

    versions: Mapping[str, str]


def run(ctx: Ctx) -> Report[Preflight]:
    """Check tools, engine, charts, the cluster's name and its host ports. Enter the cluster if it exists already.

    Raises:
        UsageError: a check failed, or another run or owner uses the namespace.
        EnvironmentFailed: the existing cluster does not answer.
    """
    env = ctx.env
    if not ctx.is_new:
        env.charts.end_orphans()
    if ctx.record.shares:
        return _enter_shared_cluster(ctx)
    if not ctx.is_new:
        if _ensure_cluster_answers(ctx):
            return done(Preflight({}), {"started": env.cluster.name})
        return unchanged(Preflight({}))
    engine = env.engine_info()
    versions = {"engine": engine.version, "helm": env.charts.version()}
    if not env.processes.find("kind"):
        raise UsageError("kind is not on PATH", hint="install it: https://kind.sigs.k8s.io/docs/user/quick-start/")
    if env.cluster.exists():
        raise UsageError(
            f"cluster {env.cluster.name} already exists and was not created by seatrial",
            reason="the ledger has no record of it, so seatrial does not change it",
            hint=f"kind delete cluster --name {env.cluster.name}, or choose another name under [cluster]",
        )
    _check_ports(ctx)
    _check_room(engine)
    version = kubernetes_version(env.node_image)
    _check_objects(ctx, version=version, cpus=engine.cpus, memory=engine.memory, is_complete=True)
    return done(Preflight(versions), versions)


def _check_ports(ctx: Ctx) -> None:
    """Check that the host ports of the cluster are free.

    Raises:
        UsageError: one is not.
    """
    taken = [(address, port) for address, port in ctx.env.host_ports if not ctx.env.port_is_free(address, port)]
    if not taken:
        return
    owners = ctx.env.port_owners()
    owner = owners.get(taken[0][1], "another program on this machine")
    raise UsageError(
        f"host port {', '.join(f'{address}:{port}' for address, port in taken)} is in use",
        reason=f"the cluster publishes this port, and {owner} listens on it",
        hint="stop it, or change the port in the kind configuration",
    )


def _check_room(engine: EngineInfo) -> None:
    """Check that a cluster fits into memory and disk.

    Raises:
        UsageError: it does not.
    """
    if 0 < engine.free_memory < _MEMORY:
        raise UsageError(
            f"{engine.free_memory // _MIB} MiB of memory are available",
            reason=f"a kind node and its first pods need {_MEMORY // _MIB} MiB",
            hint="close programs or delete other clusters: seatrial list, kind get clusters",
        )
    if 0 < engine.memory < _MEMORY:
        raise UsageError(
            f"the engine's machine has {engine.memory // _MIB} MiB of memory",
            reason=f"a kind node and its first pods need {_MEMORY // _MIB} MiB",
            hint="give it more memory in the settings of Docker",
        )
    if engine.free_disk is not None and engine.free_disk < _DISK:
        raise UsageError(
            f"{engine.free_disk // _MIB} MiB of disk are free for the engine",
            reason=f"a kind node with its images needs {_DISK // _MIB} MiB",
            hint="docker system df shows what takes space, seatrial clean --cache frees seatrial's part",
        )


def _check_objects(ctx: Ctx, *, version: tuple[int, int] | None, cpus: int, memory: int, is_complete: bool) -> None:
    """Render all charts, and check what they would create.

    Raises:
        UsageError: a chart does not render.
        WrongInput: an object cannot be created or cannot work.
    """
    stamp = program_stamp(ctx.env.processes.find("helm"))

    def render(release: ReleaseSpec) -> list[Object]:
        return render_release(
            release,
            placeholder_values(release),
            charts=ctx.env.charts,
            root=ctx.project.root,
            cache=ctx.env.shared / "rendered",
            stamp=stamp,
            deadline=ctx.deadline.child(ctx.project.timeouts.install),
        ).objects

    objects = planned_objects(ctx.project, render)
    found = check_objects(
        objects,
        references=runner_references(ctx.project),
        version=version,
        cpus=cpus,
        memory=memory,
        is_complete=is_complete,
    )
    found += _check_sources(ctx, objects)
    fatal = [each for each in found if each.fatal]
    for each in found:
        if not each.fatal:
            ctx.warn(f"{each.subject}: {each.message}; {each.hint}")
    for each in fatal:
        ctx.emit(FindingMade(finding=each))
    if fatal:
        one = len(fatal) == 1
        raise WrongInput(f"{len(fatal)} {'mistake' if one else 'mistakes'} in what would be created", fatal)


def _check_sources(ctx: Ctx, objects: list[Object]) -> list[Finding]:
    """Return a finding for each image that no node could pull, of those that this project does not build."""
    if ctx.env.registry_problem is None:
        return []
    spec, own = ctx.project.runner, {image.name for image in ctx.project.image}
    runner = ObjectRef(kind="Pod", name=spec.pod, namespace=spec.namespace)
    wanted = {**described_images(objects), spec.image: runner}
    images = {image: subject for image, subject in wanted.items() if not {image, image.rpartition(":")[0]} & own}
    present = ctx.env.images.inspect(list(images))
    hosts = sorted({registry_host(image) for image in images if image not in present})
    with ThreadPoolExecutor(max(1, len(hosts))) as pool:
        problems = dict(zip(hosts, pool.map(ctx.env.registry_problem, hosts), strict=True))
    return list(images_without_source(images, present=present, problems=problems))


def _ensure_cluster_answers(ctx: Ctx) -> bool:
    """Start the existing cluster if it does not answer, and return whether it was started."""
    env, hint = ctx.env, "seatrial down, then seatrial up"
    if ctx.record.provider == "existing":
        hint = f"kubectl --context {env.cluster.context} version"
    return ensure_cluster_answers(
        env.cluster,
        clock=env.clock,
        own_nodes=env.nodes is not None,
        namespaces=ctx.project.used_namespaces,
        deadline=ctx.deadline,
        progress=ctx.progress(Stage.PREFLIGHT),
        hint=hint,
    )


def _enter_shared_cluster(ctx: Ctx) -> Report[Preflight]:
    """Check the cluster and take the Lease of the runner's namespace before anything in it is changed."""
    env, is_first = ctx.env, not ctx.record.kept
    versions = {"engine": env.engine_info().version, "helm": env.charts.version()} if is_first else {}
    if ctx.record.provider == "existing" and not env.cluster.exists():
        raise UsageError(
            f"{env.cluster.kubeconfig} has no context {env.cluster.context!r}", hint="kubectl config get-contexts"
        )
    _ensure_cluster_answers(ctx)
    kube = ctx.connect()
    if is_first:
        _check_objects(ctx, version=kubernetes_version(kube.version()), cpus=0, memory=0, is_complete=False)
    namespace, owner = ctx.project.runner.namespace, ctx.owner
    claim_namespace(kube, namespace, owner, deadline=ctx.deadline, record=ctx.resources.add)
    _take_lease(ctx, namespace)
    ensure_namespace(kube, namespace, owner, deadline=ctx.deadline, record=ctx.resources.add)
    check_owner(kube, ctx.project.release, ctx.record.owner_labels)
    found = Preflight(versions)
    if is_first:
        return done(found, {"namespace": namespace, **versions})
    return unchanged(found, {"namespace": namespace})


def _take_lease(ctx: Ctx, namespace: str) -> None:
    env, labels = ctx.env, ctx.record.owner_labels
    lease = Lease(ctx.kube, namespace, holder=f"{env.holder} run {ctx.run}", labels=labels, clock=env.clock)
    lease.take(ctx.deadline)
    ctx.lease = lease
    ctx.at_end.callback(lease.release)

    def lost(reason: str) -> None:
        ctx.warn(f"stopping this run: {reason}")
        ctx.canceled.set()
        env.processes.stop()

    lease.keep(lost)
