"""Validate manifests strictly against the OpenAPI specification of the pinned Kubernetes version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

# Types whose JSON form is not in the specification.
# https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go
OPAQUE: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["integer", "string"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["string", "number"],
        "pattern": r"^[+-]?[0-9.]+([eEinumkKMGTP]*[-+]?[0-9]*)$",
    },
}


def specification() -> Path:
    """Return foundry's file for the pinned version (Swagger 2.0), or the one in KUBERNETES_OPENAPI."""
    named = os.environ.get("KUBERNETES_OPENAPI")
    if not named:
        foundry = Path(sys.executable).parent / "foundry"
        for command in ("up", "path"):
            done = subprocess.run([foundry, command, "kubernetes-openapi"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"foundry {command} kubernetes-openapi: {done.stderr.strip()}"
        named = done.stdout.strip()
    there = Path(named)
    (found,) = [there] if there.is_file() else there.rglob("swagger.json")
    return found


def strict(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions with unknown fields as errors.

    The API server silently drops unknown fields unless the client requests strict validation.
    """
    result: dict[str, Any] = {}
    for name, definition in definitions.items():
        copy = dict(OPAQUE.get(name, definition))
        if "properties" in copy:
            copy["additionalProperties"] = False
        result[name] = copy
    return result


class Kubernetes:
    """The object types of one Kubernetes version."""

    def __init__(self, swagger: Mapping[str, Any]) -> None:
        self._definitions = strict(swagger["definitions"])
        self._names: dict[tuple[str, str], str] = {}
        for name, definition in swagger["definitions"].items():
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                api = f"{kind['group']}/{kind['version']}" if kind["group"] else kind["version"]
                self._names.setdefault((api, kind["kind"]), name)

    def problems(self, manifest: Mapping[str, Any]) -> list[str]:
        """Return the problems of the object; empty if it is valid."""
        kind = (manifest.get("apiVersion", ""), manifest.get("kind", ""))
        name = self._names.get(kind)
        if name is None:
            return [f"unknown kind {' '.join(kind)}"]
        schema = {"$ref": f"#/definitions/{name}", "definitions": self._definitions}
        errors = jsonschema.Draft7Validator(schema).iter_errors(dict(manifest))
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"[:300] for error in errors]


@cache
def kubernetes() -> Kubernetes:
    """Return the pinned version."""
    return Kubernetes(json.loads(specification().read_text()))
