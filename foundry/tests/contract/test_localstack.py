"""Test the contract of the LocalStack image (https://docs.localstack.cloud/references/) that charts rely on."""

from __future__ import annotations

import json
import urllib.parse
import xml.etree.ElementTree as ET

import pytest

ARTIFACT = "localstack"
PORT = 4566

PYTHON_SCRIPT = """
import boto3

account = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
boto3.client("s3", endpoint_url="http://localhost:4566", **account).create_bucket(Bucket="from-python")
"""


def sign(service):
    """Return the header from which LocalStack reads the service; it does not check signatures."""
    scope = f"test/20260101/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}


def ask(box, service, action, **parameters):
    """Call an action of an AWS query API."""
    version = {"sts": "2011-06-15", "iam": "2010-05-08"}[service]
    body = urllib.parse.urlencode({"Action": action, "Version": version, **parameters})
    headers = {**sign(service), "Content-Type": "application/x-www-form-urlencoded"}
    return box.http(PORT, "/", method="POST", body=body, headers=headers)


def text(answer, name):
    """Return the text of the first element with this name."""
    assert answer.status == 200, answer.text
    return next(element.text for element in ET.fromstring(answer.text).iter() if element.tag.rpartition("}")[2] == name)


def buckets(box):
    found = ET.fromstring(box.http(PORT, "/", headers=sign("s3")).text)
    return {element.text for element in found.iter() if element.tag.endswith("Name")}


@pytest.fixture(scope="module")
def server(image, shared_boxes):
    box = shared_boxes.run(image, env={"SERVICES": "s3,sts,iam"}, ports=[PORT])
    box.until_http(PORT, "/_localstack/health")
    return box


def test_health_has_version_and_services(server):
    health = server.http(PORT, "/_localstack/health").json

    assert health["version"] == "4.14.0"
    assert {name for name, state in health["services"].items() if state in {"available", "running"}} == {
        "s3",
        "sts",
        "iam",
    }


def test_server_needs_no_auth_token(server):
    assert server.exec("sh", "-c", "echo token=$LOCALSTACK_AUTH_TOKEN") == "token="
    assert "Ready." in server.logs()


def test_s3_stores_and_lists_objects(server):
    assert server.http(PORT, "/things", method="PUT", headers=sign("s3")).status == 200
    assert server.http(PORT, "/things/a/b", method="PUT", body=b"content", headers=sign("s3")).status == 200

    assert server.http(PORT, "/things/a/b", headers=sign("s3")).text == "content"
    assert "<Key>a/b</Key>" in server.http(PORT, "/things?list-type=2&prefix=a/", headers=sign("s3")).text
    assert server.http(PORT, "/things/nothing", headers=sign("s3")).status == 404
    assert server.http(PORT, "/things/a/b", method="DELETE", headers=sign("s3")).status == 204


def test_iam_role_can_be_created_and_assumed(server):
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = ask(server, "iam", "CreateRole", RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    arn = text(role, "Arn")

    assert arn == "arn:aws:iam::000000000000:role/reader"
    assert ask(server, "iam", "AttachRolePolicy", RoleName="reader", PolicyArn=policy).status == 200
    assert text(ask(server, "iam", "ListAttachedRolePolicies", RoleName="reader"), "PolicyArn") == policy

    assumed = ask(server, "sts", "AssumeRole", RoleArn=arn, RoleSessionName="session")

    assert text(assumed, "Arn") == "arn:aws:sts::000000000000:assumed-role/reader/session"
    assert text(assumed, "SessionToken")
    assert text(ask(server, "sts", "GetCallerIdentity"), "Account") == "000000000000"


def test_awslocal_uses_this_server(server):
    assert (
        server.exec("awslocal", "sts", "get-caller-identity", "--query", "Account", "--output", "text")
        == "000000000000"
    )


def test_init_scripts_run_at_each_start_and_stop_exits_0(image, boxes, tmp_path):
    for stage, name, content in (
        ("boot", "boot.sh", "#!/bin/sh\necho booted >/tmp/booted\n"),
        ("start", "start.sh", "#!/bin/sh\necho started $GREETING\n"),
        ("ready", "1.py", PYTHON_SCRIPT),
        ("ready", "2.sh", "#!/bin/sh\nawslocal s3api create-bucket --bucket from-shell\n"),
        ("ready", "3.sh", "#!/bin/sh\nexit 7\n"),
        ("shutdown", "end.sh", "#!/bin/sh\necho shut down\n"),
    ):
        script = tmp_path / f"{stage}.d" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(content)
        script.chmod(0o755)
    tmp_path.chmod(0o755)
    options = [f"--volume={tmp_path}:/etc/localstack/init:ro"]
    env = {"LOCALSTACK_GREETING": "prefixed", "GATEWAY_LISTEN": "0.0.0.0:4566,0.0.0.0:4600"}
    box = boxes.run(image, env=env, ports=[PORT, 4600], options=options)

    def completed():
        found = box.http(PORT, "/_localstack/init").json
        return found if found["completed"]["READY"] else None

    for again in (False, True):
        if again:
            box.start()
        box.until_http(4600, "/_localstack/health")
        states = {script["name"]: script["state"] for script in until_ready(box, completed)["scripts"]}

        assert states["1.py"] == states["2.sh"] == "SUCCESSFUL"
        assert states["3.sh"] == "ERROR"
        assert buckets(box) == {"from-python", "from-shell"}
        assert box.exec("cat", "/tmp/booted") == "booted"
        assert box.stop() == 0

        logs = box.logs()
        assert "started prefixed" in logs
        assert "shut down" in logs


def until_ready(box, ask_it):
    """`Box.until_http` waits for a status; this waits for the content of the answer."""
    for _ in range(600):
        if found := ask_it():
            return found
        box.exec("sleep", "0.1")
    raise AssertionError(box.logs())


def test_server_runs_unprivileged_with_read_only_root(own, boxes):
    options = [
        "--user=12345:0",
        "--read-only",
        "--cap-drop=ALL",
        "--tmpfs=/tmp",
        "--tmpfs=/var/lib/localstack:mode=1777",
    ]

    box = boxes.run(own, ports=[PORT], options=options)

    box.until_http(PORT, "/_localstack/health")
    assert box.http(PORT, "/things", method="PUT", headers=sign("s3")).status == 200
