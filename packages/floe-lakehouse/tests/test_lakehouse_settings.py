"""Test reading and validation of the settings."""

import pytest
from floe_lakehouse import LakehouseSettings, SettingsError


def test_from_environment_defaults_to_cluster_services():
    settings = LakehouseSettings.from_environment({})

    assert settings.catalog_uri == "http://polaris:8181/api/catalog"
    assert settings.s3_endpoint == "http://localstack:4566"
    assert settings.credential is None


def test_from_environment_ignores_kubernetes_service_variables():
    settings = LakehouseSettings.from_environment({"POLARIS_PORT": "tcp://10.96.0.7:8181", "POLARIS_HOST": "nowhere"})

    assert settings == LakehouseSettings.from_environment({})


def test_from_environment_empty_s3_endpoint_means_aws():
    properties = LakehouseSettings.from_environment({"FLOE_S3_ENDPOINT": ""}).catalog_properties

    assert "s3.endpoint" not in properties
    assert "s3.force-virtual-addressing" not in properties


def test_catalog_properties_credential_uses_token_endpoint_of_catalog():
    properties = LakehouseSettings.from_environment(
        {"FLOE_CATALOG_CREDENTIAL": "root:s3cr3t", "FLOE_CATALOG_URI": "http://polaris:8181/api/catalog/"}
    ).catalog_properties

    assert properties["credential"] == "root:s3cr3t"
    assert properties["oauth2-server-uri"] == "http://polaris:8181/api/catalog/v1/oauth/tokens"


def test_repr_hides_keys():
    settings = LakehouseSettings(credential="root:s3cr3t", access_key="me", secret_key="hush")

    assert "s3cr3t" not in repr(settings)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"FLOE_CATALOG_URI": "polaris:8181"}, "FLOE_CATALOG_URI"),
        ({"FLOE_S3_ENDPOINT": "localstack"}, "FLOE_S3_ENDPOINT"),
        ({"FLOE_CATALOG_CREDENTIAL": "root"}, "FLOE_CATALOG_CREDENTIAL"),
        ({"AWS_ACCESS_KEY_ID": "test"}, "AWS_SECRET_ACCESS_KEY"),
        ({"FLOE_TIMEOUT_SECONDS": "soon"}, "FLOE_TIMEOUT_SECONDS"),
        ({"FLOE_TIMEOUT_SECONDS": "0"}, "FLOE_TIMEOUT_SECONDS"),
        ({"FLOE_TIMEOUT_SECONDS": "nan"}, "FLOE_TIMEOUT_SECONDS"),
    ],
)
def test_from_environment_invalid_setting_is_named(environment, named):
    with pytest.raises(SettingsError, match=named):
        LakehouseSettings.from_environment(environment)
