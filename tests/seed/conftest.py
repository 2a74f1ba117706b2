"""On a host, what is for the pod alone is not run, and counted as that."""

import pytest

from testing.base_classes.integration_test_base import location


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name == "test_isolated_namespace.py" and location() == "host":
            item.add_marker(pytest.mark.skip(reason="not run: load_incluster_config is for pods"))
