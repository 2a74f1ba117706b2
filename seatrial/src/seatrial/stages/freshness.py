"""Whether pods run the images that this machine has now, and not older ones of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from seatrial.model.errors import EnvironmentFailed
from seatrial.model.names import canonical
from seatrial.ports import Object
from seatrial.readiness.pod import container_statuses
from seatrial.readiness.snapshot import controller_of
from seatrial.stages.context import Ctx

__all__ = ["outdated", "retry_pulls", "stale_images"]

_PULL_FAILED: Final = ("ErrImagePull", "ImagePullBackOff")


def outdated(ctx: Ctx) -> bool:
    """Delete pods that run an older image than was delivered, so that their controllers make new ones; say if any.

    Raises:
        EnvironmentFailed: such a pod has no controller that would make a new one.
    """
    found = False
    for namespace in ctx.project.used_namespaces:
        for pod in ctx.kube.objects("v1/Pod", namespace):
            stale = list(stale_images(pod, ctx.facts.delivered))
            if not stale:
                continue
            name = pod["metadata"]["name"]
            if controller_of(pod) == ("", ""):
                raise EnvironmentFailed(
                    f"pod {name} runs an older image {stale[0]} than this machine has",
                    reason="nothing would make it anew if it were deleted",
                    hint=f"kubectl delete pod {name} -n {namespace}, and make it again",
                )
            ctx.warn(f"pod {name} runs an older image {stale[0]}: it is made anew")
            ctx.kube.delete("v1/Pod", name, namespace)
            found = True
    return found


def retry_pulls(ctx: Ctx) -> None:
    """Delete pods that wait for an image which this command pushed, so that their controllers create new ones.

    The kubelet waits up to 5 minutes between two attempts.
    """
    if ctx.facts.fresh or not ctx.facts.pushed:
        return
    pushed = {canonical(reference) for reference in ctx.facts.pushed}
    for namespace in ctx.project.used_namespaces:
        for pod in ctx.kube.objects("v1/Pod", namespace):
            name = pod["metadata"]["name"]
            failed = next((image for image in _failed_pulls(pod) if canonical(image.partition("@")[0]) in pushed), "")
            if failed and controller_of(pod) != ("", ""):
                ctx.warn(f"pod {name} could not pull {failed}, which was pushed since: recreating it")
                ctx.kube.delete("v1/Pod", name, namespace)


def _failed_pulls(pod: Object) -> Iterator[str]:
    """Yield the images that containers of a pod wait for since an attempt failed."""
    waiting = {
        each["name"]: ((each.get("state") or {}).get("waiting") or {}).get("reason") for each in container_statuses(pod)
    }
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        if waiting.get(container["name"]) in _PULL_FAILED:
            yield str(container["image"])


def stale_images(pod: Object, delivered: Mapping[str, str]) -> Iterator[str]:
    """Yield images of a pod that runs whose digest is not the one that was delivered under that name.

    Args:
        pod: the pod.
        delivered: image reference as pods say it to the digest of its manifest.
    """
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or pod["metadata"].get("deletionTimestamp"):
        return
    wanted = {canonical(reference): digest for reference, digest in delivered.items()}
    running = {each["name"]: str(each.get("imageID", "")) for each in status.get("containerStatuses") or ()}
    for container in pod["spec"]["containers"]:
        digest = wanted.get(canonical(container["image"]))
        image_id = running.get(container["name"], "")
        # Without a digest it was imported by hand: nothing to compare.
        if digest and "@" in image_id and not image_id.endswith(digest):
            yield container["image"]
