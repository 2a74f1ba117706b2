"""Test the stand-in for a catalog server: Iceberg's REST API at the paths of a production catalog.

It runs with foundry's PostgreSQL and LocalStack, as in a cluster. The image has no upstream counterpart: the program it
stands in for is another one, with another configuration.
"""

from __future__ import annotations

import json
import uuid

import pytest

ARTIFACT = "iceberg-rest"
API, HEALTH = 8181, 8182
ROOT = "/api/catalog/v1"
READY = "/q/health/ready"
SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "fields": [{"id": 1, "name": "amount", "required": False, "type": "long"}],
}
ENVIRONMENT = {
    "CATALOG_URI": "jdbc:postgresql://database:5432/catalog",
    "CATALOG_JDBC_USER": "postgres",
    "CATALOG_JDBC_PASSWORD": "secret",
    "CATALOG_WAREHOUSE": "s3://warehouse/",
    "CATALOG_IO__IMPL": "org.apache.iceberg.aws.s3.S3FileIO",
    "CATALOG_S3_ENDPOINT": "http://objects:4566",
    "CATALOG_S3_PATH__STYLE__ACCESS": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
CONFINED = ["--memory=1g", "--read-only", "--cap-drop=ALL", "--tmpfs=/tmp"]


@pytest.fixture(scope="module")
def database(image, shared_boxes):
    env = {"POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "catalog", "POSTGRES_INITDB_ARGS": "--no-sync"}
    return shared_boxes.run("foundry.invalid/postgresql:17", "-c", "fsync=off", name="database", env=env)


@pytest.fixture(scope="module")
def objects(image, shared_boxes):
    box = shared_boxes.run("foundry.invalid/localstack:4.14.0", name="objects", ports=[4566])
    box.until_http(4566, "/_localstack/health")
    assert box.http(4566, "/warehouse", method="PUT").status == 200
    return box


@pytest.fixture(scope="module")
def server(image, shared_boxes, database, objects):
    """Provide a catalog with a configured name."""
    env = {**ENVIRONMENT, "CATALOG_CATALOG_NAME": "sales", "CATALOG_INCLUDE__CREDENTIALS": "true"}
    box = shared_boxes.run(image, env=env, ports=[API, HEALTH], options=CONFINED)
    box.until_http(HEALTH, READY)
    return box


@pytest.fixture
def namespace(server):
    name = f"n{uuid.uuid4().hex[:8]}"
    assert post(server, "/sales/namespaces", {"namespace": [name], "properties": {"owner": "me"}}).status == 200
    return name


def post(box, path, body):
    return box.http(
        API, ROOT + path, method="POST", body=json.dumps(body), headers={"Content-Type": "application/json"}
    )


def get(box, path):
    return box.http(API, ROOT + path)


def test_health_has_production_format(server):
    ready = server.http(HEALTH, READY)

    assert (ready.status, ready.json["status"], ready.json["checks"][0]["status"]) == (200, "UP", "UP")
    assert server.http(HEALTH, "/q/health/live").json["status"] == "UP"
    assert server.http(HEALTH, "/q/health").json["status"] == "UP"
    assert server.http(HEALTH, "/q/other").status == 404


def test_config_returns_token_and_catalog_prefix(server):
    form = "grant_type=client_credentials&client_id=a&client_secret=b&scope=PRINCIPAL_ROLE:ALL"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    token = server.http(API, f"{ROOT}/oauth/tokens", method="POST", body=form, headers=headers)
    config = get(server, "/config?warehouse=sales").json

    assert token.json["token_type"] == "Bearer"
    assert token.json["access_token"]
    assert config["overrides"] == {"prefix": "sales"}
    assert "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}" in config["endpoints"]


def test_unknown_catalog_is_not_found(server):
    for path in ("/config?warehouse=other", "/other/namespaces"):
        answer = get(server, path)

        assert (answer.status, answer.json["error"]["type"]) == (404, "NotFoundException")
        assert "other" in answer.json["error"]["message"]


def test_paths_with_and_without_catalog_name_are_equal(server, namespace):
    assert [namespace] in get(server, "/sales/namespaces").json["namespaces"]
    assert [namespace] in get(server, "/namespaces").json["namespaces"]
    assert get(server, f"/sales/namespaces/{namespace}").json["properties"]["owner"] == "me"


def test_create_table_writes_metadata_to_object_store(server, objects, namespace):
    made = post(server, f"/sales/namespaces/{namespace}/tables", {"name": "orders", "schema": SCHEMA}).json
    bucket, _, key = made["metadata-location"].removeprefix("s3://").partition("/")
    update = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"colour": "blue"}}]}

    assert objects.http(4566, f"/{bucket}/{key}").json["table-uuid"] == made["metadata"]["table-uuid"]
    assert post(server, f"/sales/namespaces/{namespace}/tables/orders", update).status == 200

    loaded = get(server, f"/sales/namespaces/{namespace}/tables/orders").json

    assert loaded["metadata"]["properties"]["colour"] == "blue"
    assert loaded["metadata-location"] != made["metadata-location"]
    assert get(server, f"/sales/namespaces/{namespace}/tables").json["identifiers"] == [
        {"namespace": [namespace], "name": "orders"}
    ]


def test_load_table_includes_credentials_if_enabled(server, namespace):
    made = post(server, f"/sales/namespaces/{namespace}/tables", {"name": "orders", "schema": SCHEMA}).json

    assert made["config"] == {
        "client.region": "us-east-1",
        "s3.access-key-id": "test",
        "s3.endpoint": "http://objects:4566",
        "s3.path-style-access": "true",
        "s3.secret-access-key": "test",
    }


def test_client_errors_are_answered_and_not_logged(server, namespace):
    again = post(server, "/sales/namespaces", {"namespace": [namespace]})
    is_not_found = get(server, f"/sales/namespaces/{namespace}/tables/nothing")
    unknown = get(server, "/sales/nothing")

    assert (again.status, again.json["error"]["type"]) == (409, "AlreadyExistsException")
    assert (is_not_found.status, is_not_found.json["error"]["type"]) == (404, "NoSuchTableException")
    assert unknown.status == 400
    assert "Exception" not in server.logs()
    assert server.http(API, "/api/management/v1/catalogs").status == 404


def test_server_survives_database_restart(server, database, namespace):
    assert database.stop() == 0

    down = server.http(HEALTH, READY)

    assert (down.status, down.json["status"]) == (503, "DOWN")
    assert server.http(HEALTH, "/q/health/live").status == 200

    database.start()
    server.until_http(HEALTH, READY)

    for _ in range(4):  # more requests than it has connections
        assert get(server, f"/sales/namespaces/{namespace}").status == 200


def test_server_waits_for_database(image, boxes):
    env = {**ENVIRONMENT, "CATALOG_URI": "jdbc:postgresql://late:5432/catalog"}
    box = boxes.run(image, env=env, ports=[API, HEALTH])

    assert box.until_http(HEALTH, "/q/health/live").status == 200
    assert box.until_http(HEALTH, READY, 503).json["checks"][0]["data"]["problem"]
    assert get(box, "/config").status == 503

    boxes.run(
        "foundry.invalid/postgresql:17",
        name="late",
        env={"POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "catalog", "POSTGRES_INITDB_ARGS": "--no-sync"},
    )

    box.until_http(HEALTH, READY)
    # Without a configured name it accepts any name.
    assert get(box, "/config?warehouse=whatever").json["overrides"] == {"prefix": "whatever"}
    assert get(box, "/whatever/namespaces").json["namespaces"] == []


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "uri is not set"),
        ({"CATALOG_URI": "jdbc:postgresql://x/y"}, "warehouse is not set"),
        ({**ENVIRONMENT, "CATALOG_REST_PORT": "many"}, "rest.port is not a port number: many"),
        ({**ENVIRONMENT, "CATALOG_HEALTH_PORT": "8181"}, "Failed to bind"),
    ],
)
def test_invalid_settings_exit_with_message(image, boxes, env, words):
    box = boxes.run(image, env=env)

    assert box.wait() == 1
    assert words in box.logs()
    assert "\tat " not in box.logs()


def test_server_is_small_and_unprivileged(server):
    assert server.user() == "10000"
    assert server.memory() < 400_000_000


def test_second_server_shares_tables_uses_class_archive_and_stops_on_sigterm(image, boxes, server, namespace):
    # -Xshare:on makes a JVM exit if it cannot use its class archive, which halves the startup time.
    env = {**ENVIRONMENT, "CATALOG_CATALOG_NAME": "sales", "JAVA_TOOL_OPTIONS": "-Xshare:on"}
    box = boxes.run(image, env=env, ports=[API, HEALTH], options=CONFINED)
    box.until_http(HEALTH, READY)

    assert [namespace] in get(box, "/namespaces").json["namespaces"]
    assert box.stop() == 143  # the JVM's exit code after SIGTERM, as for the production catalog
    assert "Exception" not in box.logs()


def test_image_label_names_replaced_image(image, inspect):
    assert inspect(image)["Config"]["Labels"]["dev.seatrial.stands-in-for"] == "apache/polaris"
