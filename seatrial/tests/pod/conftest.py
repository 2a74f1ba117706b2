"""Fixtures for runs in a pod that is a directory."""

from __future__ import annotations

from runner.bench import bench, pod_class

__all__ = ["bench", "pod_class"]
