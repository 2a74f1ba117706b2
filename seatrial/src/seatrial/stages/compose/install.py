"""Install stage: create or update the containers of the Compose project, with the runner among them."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.compose.startup import ProjectStart
from seatrial.images.engine_images import image_used
from seatrial.model.errors import NotReady, UsageError
from seatrial.model.event import FindingMade
from seatrial.model.result import ImageUsed, Stage
from seatrial.ports import Object
from seatrial.runner.prestarted_exec import PrestartedExec
from seatrial.runner.sent_places import sent_places
from seatrial.saved_state import INSPECTED_IMAGES, read, read_runner, write
from seatrial.stages.build import BuiltImages
from seatrial.stages.compose.preflight import ComposeFile
from seatrial.stages.context import ComposeCtx, Report, done, unchanged

__all__ = ["StartedProject", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedProject:
    """The Compose project, started.

    Attributes:
        start: starts it again.
        containers: `docker inspect` of its containers.
        changed: whether any container was created.
        used: images of its services and of the runner.
        prestarted: the command in the runner that waits for the test run; None: no command waits.
    """

    start: ProjectStart
    containers: list[Object]
    changed: bool
    used: tuple[ImageUsed, ...]
    prestarted: PrestartedExec | None


def run(ctx: ComposeCtx, file: ComposeFile, built: BuiltImages) -> Report[StartedProject]:
    """Create containers, and recreate those that differ from the Compose file.

    Raises:
        NotReady: a container cannot be created or started.
        UsageError: the configuration does not fit the Compose file.
    """
    spec = ctx.project.compose
    assert spec is not None, "preflight checks it"  # noqa: S101
    runner = ctx.project.runner.image
    if runner not in built.references and ":" not in runner.rpartition("/")[2]:
        raise UsageError(
            f"runner.image {runner!r} is not the name of an [[image]] and has no tag", hint=f"write {runner}:TAG"
        )
    image = built.references.get(runner, runner)
    replaced = {service: built.references[name] for service, name in spec.images.items()}
    services = file.config.get("services") or {}
    wanted = [replaced.get(name) or each.get("image") or "" for name, each in services.items()]
    references = list(dict.fromkeys([*filter(None, wanted), image]))
    ctx.engine_images.inspect(references)
    local = {**built.local, **ctx.engine_images.present(references)}
    known = read_runner(ctx.env.directory)
    prestarted = file.prestarted
    start = ProjectStart(
        compose=ctx.env.compose,
        project=ctx.project,
        record=ctx.record,
        config=file.config,
        images=replaced,
        image=image,
        local=local.get(image),
        manifest=built.runner,
        places=built.places if built.runner else sent_places(ctx.project, known.places if known else ()),
        directory=ctx.env.directory,
        deadline=ctx.deadline.child(ctx.project.timeouts.install),
        log=ctx.log("compose"),
        progress=ctx.progress(Stage.INSTALL),
        add=ctx.resources.add,
        before=prestarted.abandon if prestarted else lambda: None,
    )
    try:
        containers, changed = start.ensure()
    except NotReady as failed:
        for finding in failed.findings:
            ctx.emit(FindingMade(finding=finding))
        raise
    if read(ctx.env.directory / INSPECTED_IMAGES, list[str]) != references:
        write(ctx.env.directory / INSPECTED_IMAGES, references)
    ctx.engine_images.renew(each for each in references if each not in local)
    present = ctx.engine_images.present(references)
    started = StartedProject(
        start=start,
        containers=containers,
        changed=changed,
        used=tuple(
            image_used(each, present.get(each), present[each].digest if each in present else "") for each in references
        ),
        prestarted=prestarted,
    )
    facts = {"project": ctx.env.compose.name}
    return done(started, facts) if changed else unchanged(started, facts)
