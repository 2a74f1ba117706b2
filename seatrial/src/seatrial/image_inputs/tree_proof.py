"""Decide whether the code that ran is that of the working tree. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from seatrial.image_inputs.working_tree import Files, Tree
from seatrial.model.result import TreeProof

__all__ = ["reason"]


def reason(tree: Tree | None, directory: str, imports: Mapping[str, tuple[str, str]], proof: TreeProof | None) -> str:
    """Return why the code that ran is not the working tree; empty if it is.

    Args:
        tree: the files on the host; None: files are not compared.
        directory: the project's directory in the pod.
        imports: module -> (file in the pod, SHA-256), of the project's own modules as they were imported.
        proof: digests of both sides when the run began.
    """
    if tree is None:
        return ""
    if proof is not None and proof.host != proof.pod:
        return "files in the pod differ from the working tree after the sync"
    for module, (path, content) in sorted(imports.items()):
        here = _counterparts(tree.modules, module, path, directory)
        if here and all(tree.modules[each].content != content for each in here):
            return (
                f"{module} was imported from {path}, which is not {here[0]} of the working tree; "
                "install the package as editable in the image, or rebuild it"
            )
    return ""


def _counterparts(files: Files, module: str, path: str, directory: str) -> list[str]:
    """Return the files of the tree that may be a module: the one at its path, else all with the end of its path."""
    relative = path.removeprefix(directory.rstrip("/") + "/")
    if relative != path and relative in files:
        return [relative]
    parts = module.split(".")
    tail = "/".join(parts) + ("/__init__.py" if path.endswith("/__init__.py") else ".py")
    if not path.endswith("/" + tail):
        return []
    return [each for each in files if each == tail or each.endswith("/" + tail)]
