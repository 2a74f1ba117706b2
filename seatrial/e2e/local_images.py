"""Replace the images of the examples with local ones, for machines that cannot reach Docker Hub.

The settings are environment variables, as in docs/how-to/behind-a-mirror.md. Commands and files are unchanged.
"""

from __future__ import annotations

import subprocess
from typing import Final

__all__ = ["NODE", "SETTINGS", "present"]

NODE: Final = "foundry.invalid/node:v1.34.4"

SETTINGS: Final = {
    "POSTGRESQL_IMAGE": "foundry.invalid/postgresql:17",
    "SEATRIAL_CLUSTER_IMAGE": NODE,
    "SEATRIAL_SET": """
image.orders-api.args={ PYTHON_IMAGE = "foundry.invalid/python:3.13" }
image.orders-api-tests.args={ PYTHON_IMAGE = "foundry.invalid/python:3.13" }
release.orders-api.set={ "postgresql.image.repository" = "foundry.invalid/postgresql" }
""",
}


def present() -> bool:
    """Return whether these images are on the engine."""
    argv = ["docker", "image", "inspect", "--format", "{{.Id}}", NODE]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
