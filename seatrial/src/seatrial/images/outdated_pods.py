"""Find pods that run an older image than was delivered, or that wait for one that was pushed since; recreate them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from seatrial.diagnose.rules.objects import container_statuses
from seatrial.model.errors import EnvironmentFailed
from seatrial.model.names import canonical
from seatrial.ports import Kube, Object
from seatrial.readiness.snapshot import controller_of

__all__ = ["recreate_outdated_pods", "retry_failed_pulls", "stale_images"]

_PULL_FAILED: Final = ("ErrImagePull", "ImagePullBackOff")


def recreate_outdated_pods(
    kube: Kube, namespaces: Iterable[str], delivered: Mapping[str, str], warn: Callable[[str], None]
) -> bool:
    """Delete pods that run an older image than was delivered, so that their controllers recreate them.

    Args:
        kube: the cluster's API.
        namespaces: where to look for pods.
        delivered: image reference as pods name it to the digest of its manifest.
        warn: is told of each pod that is deleted.

    Returns:
        whether a pod was deleted.

    Raises:
        EnvironmentFailed: such a pod has no controller that would recreate it.
    """
    found = False
    for namespace in namespaces:
        for pod in kube.objects("v1/Pod", namespace):
            stale = list(stale_images(pod, delivered))
            if not stale:
                continue
            name = pod["metadata"]["name"]
            if controller_of(pod) == ("", ""):
                raise EnvironmentFailed(
                    f"pod {name} runs an older image {stale[0]} than this machine has",
                    reason="the pod has no controller that would recreate it",
                    hint=f"kubectl delete pod {name} -n {namespace}, and create it again",
                )
            warn(f"pod {name} runs an older image {stale[0]}; recreating it")
            kube.delete("v1/Pod", name, namespace)
            found = True
    return found


def retry_failed_pulls(
    kube: Kube, namespaces: Iterable[str], pushed: Iterable[str], warn: Callable[[str], None]
) -> None:
    """Delete pods whose image pull failed before this command pushed that image; their controllers recreate them.

    The kubelet waits up to 5 minutes between two attempts.

    Args:
        kube: the cluster's API.
        namespaces: where to look for pods.
        pushed: references of the images that this command pushed.
        warn: is told of each pod that is deleted.
    """
    names = {canonical(reference) for reference in pushed}
    for namespace in namespaces if names else ():
        for pod in kube.objects("v1/Pod", namespace):
            name = pod["metadata"]["name"]
            failed = next((image for image in _failed_pulls(pod) if canonical(image.partition("@")[0]) in names), "")
            if failed and controller_of(pod) != ("", ""):
                warn(f"pod {name} could not pull {failed}, which was pushed since; recreating it")
                kube.delete("v1/Pod", name, namespace)


def _failed_pulls(pod: Object) -> Iterator[str]:
    """Yield the images of containers that wait after a failed pull."""
    waiting = {
        each["name"]: ((each.get("state") or {}).get("waiting") or {}).get("reason") for each in container_statuses(pod)
    }
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        if waiting.get(container["name"]) in _PULL_FAILED:
            yield str(container["image"])


def stale_images(pod: Object, delivered: Mapping[str, str]) -> Iterator[str]:
    """Yield the images of a running pod whose digest differs from the one delivered under that name.

    Args:
        pod: the pod.
        delivered: image reference as pods name it to the digest of its manifest.
    """
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or pod["metadata"].get("deletionTimestamp"):
        return
    wanted = {canonical(reference): digest for reference, digest in delivered.items()}
    running = {each["name"]: str(each.get("imageID", "")) for each in status.get("containerStatuses") or ()}
    for container in pod["spec"]["containers"]:
        digest = wanted.get(canonical(container["image"]))
        image_id = running.get(container["name"], "")
        # An image that was imported by hand has no digest to compare.
        if digest and "@" in image_id and not image_id.endswith(digest):
            yield container["image"]
