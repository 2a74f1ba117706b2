"""The release: installed by Helm, watched until it is ready or never will be."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flow.commands import Commands, last_lines, say
from flow.errors import OUT_OF_TIME, CommandFailed, Failure
from flow.kube import Kube
from flow.readiness import KINDS, Doom, Verdict, container_statuses, judge
from flow.settings import NAMESPACE, RELEASE, Settings

READY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Release:
    """`floe-infra` in namespace `floe`."""

    settings: Settings
    commands: Commands
    kube: Kube

    def _values(self) -> list[str]:
        return [part for path in self.settings.values for part in ("--values", str(path))]

    def render(self) -> str:
        """Return the chart's manifests with the run's values; no cluster is asked."""
        argv = ["helm", "template", RELEASE, str(self.settings.chart), "--namespace", NAMESPACE, *self._values()]
        try:
            return self.commands.run(argv, seconds=30)
        except CommandFailed as failed:
            raise Failure("the chart does not render with these values", why=failed.tail, code=4) from None

    def install(self) -> None:
        """Install it; hooks of the chart are waited for, and a pod that is doomed meanwhile ends the wait."""
        log = self.settings.run / "helm.log"
        argv = ["helm", "upgrade", "--install", RELEASE, str(self.settings.chart), *self._values()]
        argv += ["--namespace", NAMESPACE, "--create-namespace", f"--kubeconfig={self.settings.kubeconfig}"]
        patience = time.monotonic() + 5
        with log.open("ab") as out, self.commands.started(argv, stdout=out, stderr=out) as helm:
            while helm.poll() is None:
                self.commands.pause(0.3)
                if time.monotonic() > patience:
                    self._raise_if_doomed(judge(self.kube.get(KINDS, namespace=NAMESPACE)))
        self.commands.check()
        if helm.returncode != 0:
            raise Failure(f"helm could not install {RELEASE}", why=last_lines(log, 8), hint=f"read {log}")

    def wait(self) -> None:
        """Return once everything of the release is ready.

        Raises:
            Failure: something never will be (named with its image and last words), or time is up.
        """
        wait(self.kube, NAMESPACE, seconds=READY_SECONDS, on_doom=self._raise_if_doomed)

    def _raise_if_doomed(self, verdict: Verdict) -> None:
        raise_if_doomed(self.kube, NAMESPACE, verdict.doomed)


def wait(kube: Kube, namespace: str, *, seconds: float, on_doom: Callable[[Verdict], None]) -> None:
    """Wait until all workloads of a namespace are ready; say what is waited for when that takes long."""
    start, said = time.monotonic(), 0.0
    while True:
        verdict = judge(kube.get(KINDS, namespace=namespace))
        on_doom(verdict)
        if verdict.ready:
            return
        waited = time.monotonic() - start
        if waited > seconds:
            raise Failure(
                f"namespace {namespace} is not ready after {seconds:g} s",
                why="; ".join(verdict.waiting),
                code=OUT_OF_TIME,
            )
        if waited - said > 20:  # noqa: PLR2004
            said = waited
            say(f"          {waited:5.0f} s  waiting: {'; '.join(verdict.waiting)}")
        kube.commands.pause(0.5)


def raise_if_doomed(kube: Kube, namespace: str, doomed: Sequence[Doom]) -> None:
    """Raise a `Failure` that names pod, container, image and last words of the first that is doomed."""
    if not doomed:
        return
    first = doomed[0]
    container = f", container {first.container}" if first.container else ""
    image = f", image {first.image}" if first.image else ""
    why = first.detail
    if first.previous:
        why = "\n".join([why, *_last_words(kube, namespace, first)])
    raise Failure(f"{first.pod}{container}{image}: {first.says}", why=why)


def _last_words(kube: Kube, namespace: str, doom: Doom) -> list[str]:
    arguments = ["logs", doom.pod, f"--container={doom.container}", "--previous", "--tail=10"]
    try:
        return kube.run(*arguments, namespace=namespace).splitlines()
    except CommandFailed as failed:
        return [f"(no log: {failed.tail})"]


def save_evidence(kube: Kube, namespace: str, folder: Path) -> None:
    """Write what a person would look for: objects, events, and the logs of all containers, former lives included."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in {
        "pods.txt": ("get", "pods", "--output=wide"),
        "objects.yaml": ("get", ",".join(KINDS), "--output=yaml"),
        "events.txt": ("get", "events", "--sort-by=.lastTimestamp"),
    }.items():
        (folder / name).write_text(_or_error(kube, *arguments, namespace=namespace))
    for pod in kube.get(["pods"], namespace=namespace):
        for status in container_statuses(pod):
            where = f"{pod['metadata']['name']}.{status['name']}"
            log = ["logs", pod["metadata"]["name"], f"--container={status['name']}"]
            (folder / f"{where}.log").write_text(_or_error(kube, *log, namespace=namespace))
            if status.get("restartCount"):
                (folder / f"{where}.previous.log").write_text(_or_error(kube, *log, "--previous", namespace=namespace))


def _or_error(kube: Kube, *arguments: str, namespace: str) -> str:
    try:
        return kube.run(*arguments, namespace=namespace)
    except CommandFailed as failed:
        return f"{failed.tail}\n"
