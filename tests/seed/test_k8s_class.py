from testing.base_classes.integration_test_base import IntegrationTestBase

class MyK8sTest(IntegrationTestBase):
    """Test using K8s service discovery."""

    required_services = [("polaris", 8181)]

    def test_something(self):
        # Automatically detects if running in K8s vs host
        host = self.get_service_host("polaris")
        # Returns "polaris" in K8s, "localhost" on host

        # Check infrastructure availability
        self.check_infrastructure("polaris", 8181)
