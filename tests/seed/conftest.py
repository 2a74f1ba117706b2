"""Skip tests that can only run in a pod when they run on a host."""

import pytest

from testing.base_classes.integration_test_base import location


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name == "test_isolated_namespace.py" and location() == "host":
            item.add_marker(pytest.mark.skip(reason="not run: load_incluster_config requires a pod"))
