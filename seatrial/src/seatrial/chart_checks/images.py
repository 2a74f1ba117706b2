"""Find images that no node could pull. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from seatrial.chart_checks.pods import containers_of, described_pods
from seatrial.model.finding import Finding, ObjectRef
from seatrial.model.names import canonical
from seatrial.ports import Object

__all__ = ["described_images", "images_without_source", "registry_host"]

_HUB = "registry-1.docker.io"


def described_images(objects: Iterable[Object]) -> dict[str, ObjectRef]:
    """Return the image of each container, with the first object that uses it."""
    found: dict[str, ObjectRef] = {}
    for pod in described_pods(objects):
        for field in ("initContainers", "containers"):
            for container in containers_of(pod.spec, field):
                if image := str(container.get("image") or ""):
                    found.setdefault(image, pod.subject)
    return found


def registry_host(image: str) -> str:
    """Return the host of the registry that an image is pulled from."""
    host = canonical(image).partition("/")[0]
    return _HUB if host == "docker.io" else host


def images_without_source(
    images: Mapping[str, ObjectRef], *, present: Collection[str], problems: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each image that the engine does not have and whose registry does not answer.

    Args:
        images: image -> what uses it.
        present: images on the engine.
        problems: host of a registry -> why it does not answer; empty if it does.
    """
    for image, subject in images.items():
        host = registry_host(image)
        if image in present or not problems.get(host):
            continue
        yield Finding(
            cause="ImageWithoutSource",
            subject=subject,
            message=f"image {image} is not on the engine, and its registry {host} does not answer",
            evidence=(problems[host],),
            hint=f"docker pull {image}, or correct its name",
            fatal=True,
        )
