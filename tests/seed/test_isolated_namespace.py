import uuid
import pytest
from kubernetes import client, config

@pytest.fixture(scope="function")
def isolated_namespace():
    """Create isolated namespace for each test."""
    config.load_incluster_config()  # In-cluster
    v1 = client.CoreV1Api()

    # Create unique namespace
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    v1.create_namespace(
        body=client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace))
    )

    yield namespace

    # Cleanup
    v1.delete_namespace(name=namespace)

def test_with_isolation(isolated_namespace):
    """Test runs in isolated namespace."""
    # Deploy resources to isolated_namespace
    # No risk of collision with other tests
