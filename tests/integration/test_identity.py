"""Test STS and IAM of LocalStack."""

import json

import pytest

pytestmark = pytest.mark.service("localstack")

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)


@pytest.fixture
def role(aws, unique):
    """Provide the ARN of a role that every principal may assume."""
    iam = aws("iam")
    arn = iam.create_role(RoleName=unique, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    yield arn
    for policy in iam.list_role_policies(RoleName=unique)["PolicyNames"]:
        iam.delete_role_policy(RoleName=unique, PolicyName=policy)
    iam.delete_role(RoleName=unique)


def test_caller_identity_has_account(aws):
    caller = aws("sts").get_caller_identity()

    assert caller["Account"].isdigit()
    assert len(caller["Account"]) == 12


def test_role_policy_is_stored(aws, role, unique):
    iam = aws("iam")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::warehouse/*"}],
    }
    iam.put_role_policy(RoleName=unique, PolicyName="reads", PolicyDocument=json.dumps(policy))

    assert iam.get_role(RoleName=unique)["Role"]["Arn"] == role
    assert iam.get_role_policy(RoleName=unique, PolicyName="reads")["PolicyDocument"] == policy


def test_assumed_role_has_its_own_identity(aws, role, unique):
    keys = aws("sts").assume_role(RoleArn=role, RoleSessionName="floe")["Credentials"]

    caller = aws(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).get_caller_identity()

    assert caller["Arn"].endswith(f"assumed-role/{unique}/floe")


def test_assumed_role_keys_access_object_store(aws, role, s3, bucket):
    s3.put_object(Bucket=bucket, Key="seen", Body=b"by the role")
    keys = aws("sts").assume_role(RoleArn=role, RoleSessionName="floe")["Credentials"]

    as_role = aws(
        "s3",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )

    assert as_role.get_object(Bucket=bucket, Key="seen")["Body"].read() == b"by the role"


def test_warehouse_role_can_be_assumed(aws):
    arn = aws("iam").get_role(RoleName="floe-warehouse")["Role"]["Arn"]

    assumed = aws("sts").assume_role(RoleArn=arn, RoleSessionName="floe")["AssumedRoleUser"]

    assert assumed["Arn"].endswith("assumed-role/floe-warehouse/floe")
