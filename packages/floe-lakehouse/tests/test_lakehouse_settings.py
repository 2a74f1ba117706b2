"""The settings: read from an environment, refused when they describe no lakehouse."""

import pytest
from floe_lakehouse import LakehouseSettings, SettingsError


def test_an_empty_environment_means_the_services_of_the_cluster():
    settings = LakehouseSettings.from_environment({})

    assert settings.catalog_uri == "http://polaris:8181/api/catalog"
    assert settings.s3_endpoint == "http://localstack:4566"
    assert settings.credential is None


def test_the_addresses_kubernetes_sets_for_services_are_not_read():
    settings = LakehouseSettings.from_environment({"POLARIS_PORT": "tcp://10.96.0.7:8181", "POLARIS_HOST": "nowhere"})

    assert settings == LakehouseSettings.from_environment({})


def test_s3_set_to_nothing_is_aws_itself():
    properties = LakehouseSettings.from_environment({"FLOE_S3_ENDPOINT": ""}).catalog_properties

    assert "s3.endpoint" not in properties
    assert "s3.force-virtual-addressing" not in properties


def test_a_credential_asks_the_catalogs_own_token_endpoint():
    properties = LakehouseSettings.from_environment(
        {"FLOE_CATALOG_CREDENTIAL": "root:s3cr3t", "FLOE_CATALOG_URI": "http://polaris:8181/api/catalog/"}
    ).catalog_properties

    assert properties["credential"] == "root:s3cr3t"
    assert properties["oauth2-server-uri"] == "http://polaris:8181/api/catalog/v1/oauth/tokens"


def test_keys_are_not_shown():
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
def test_a_wrong_setting_is_named(environment, named):
    with pytest.raises(SettingsError, match=named):
        LakehouseSettings.from_environment(environment)
