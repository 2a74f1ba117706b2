"""Scenario: a chart has a missing image tag. Measured from the kubelet's event to the line that names the image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import plain
from benchmarks.commands import Line, Shell, following, until
from benchmarks.place import Place
from benchmarks.projects import SHIP, copy_ship
from benchmarks.scenarios import Scenario, Side, Taken
from benchmarks.values import OURS, Figure, Goal, SideInfo

__all__ = ["SCENARIO"]

_REASONS = ("ErrImagePull", "ImagePullBackOff")
_NAMED = "cannot be pulled"
_OTHER = "ship-plain"
_WATCH = (
    *("kubectl", "get", "pods", "--watch", "--output"),
    r'jsonpath={.metadata.name} {.status.containerStatuses[*].state.waiting.reason}{"\n"}',
    "--namespace",
)


@contextmanager
def _sides(place: Place) -> Iterator[tuple[Side, ...]]:
    copy_ship(place)
    shell = place.keep(SHIP)

    def ours() -> Taken:
        with following(shell, *_WATCH, "ship") as pods:
            began = time.time()
            wrong = f'release.ship.set={{ "web.tag" = "{_missing()}" }}'
            done = place.seatrial(SHIP, "--set", wrong, "up", codes=(10,))
            said = until(pods, _REASONS, since=began)
        named = until(list(done.err), (_NAMED,), since=began)
        place.seatrial(SHIP, "up")
        return Taken({Figure.NAMED: named.at - said.at, Figure.WHOLE: done.seconds}, {"exit": done.ended - said.at})

    install = ("helm", "install", _OTHER, "chart", "--namespace", _OTHER, "--create-namespace")

    def by_helm() -> Taken:
        with _fresh(shell), place.waiting(), following(shell, *_WATCH, _OTHER) as pods:
            began = time.time()
            argv = (*install, "--set", f"web.tag={_missing()}", "--wait", f"--timeout={plain.PATIENCE}s")
            done = shell.run(*argv, codes=(1,))
            return _sat_out(done.ended, pods, began)

    def by_kubectl() -> Taken:
        with _fresh(shell), place.waiting(), following(shell, *_WATCH, _OTHER) as pods:
            began = time.time()
            shell.run(*install, "--set", f"web.tag={_missing()}")
            wait = ("kubectl", "wait", "--for=condition=ready", "pod", "-l", "app=web", f"--namespace={_OTHER}")
            done = shell.run(*wait, f"--timeout={plain.PATIENCE}s", codes=(1,))
            return _sat_out(done.ended, pods, began)

    timeout = f"--timeout={plain.PATIENCE}s"
    yield (
        Side(SideInfo(name=OURS, commands=("seatrial up",), notes=("until the line that names the image",)), ours),
        Side(
            SideInfo(
                name="helm install --wait",
                commands=(f"helm install … --wait {timeout}",),
                notes=("until the timeout; it does not name the image",),
            ),
            by_helm,
            enough=1,
        ),
        Side(
            SideInfo(
                name="kubectl wait",
                commands=("helm install …", f"kubectl wait --for=condition=ready pod -l app=web {timeout}"),
                notes=("until the timeout; it does not name the image",),
            ),
            by_kubectl,
            enough=1,
        ),
    )


def _missing() -> str:
    """Return a new tag, for which no answer is cached."""
    return f"nonesuch-{time.time_ns()}"


@contextmanager
def _fresh(shell: Shell) -> Iterator[None]:
    """Provide a namespace without the release, and uninstall it afterwards."""
    gone = ("kubectl", "delete", "namespace", _OTHER, "--ignore-not-found")
    shell.run(*gone)
    shell.run("kubectl", "create", "namespace", _OTHER)
    try:
        yield
    finally:
        shell.run(*gone)


def _sat_out(ended: float, pods: list[Line], began: float) -> Taken:
    said = until(pods, _REASONS, since=began)
    return Taken({Figure.NAMED: ended - said.at, Figure.WHOLE: ended - began})


SCENARIO = Scenario(
    name="tag",
    title="a chart has a missing image tag",
    rounds=3,
    goals=(Goal(figure=Figure.NAMED, seconds=3.0),),
    sides=_sides,
)
