"""Create the IAM role and the buckets at each start of LocalStack, which keeps nothing over a restart.

LocalStack runs this file (``ready.d``) in its own process once it serves. Existing resources are unchanged. The
warehouse's bucket is created last, because the readiness probe checks it. An exception is written to LocalStack's log
and keeps the pod not ready.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import boto3  # type: ignore[import-not-found,unused-ignore]  # part of LocalStack

ENDPOINT = "http://127.0.0.1:4566"
# Any credentials are accepted. LocalStack derives account 000000000000 from the access key "test".
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def client(service: str) -> Any:
    """Return a client of this LocalStack's `service`."""
    return boto3.client(service, endpoint_url=ENDPOINT, region_name=os.environ["AWS_DEFAULT_REGION"], **CREDENTIALS)


def create_role_for(name: str, bucket: str) -> None:
    """Create the role that the account may assume and that has full access to `bucket`."""
    iam = client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
        ],
    }
    access = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="warehouse", PolicyDocument=json.dumps(access))
    # Verifies the role, and loads STS, so that the first caller need not wait.
    client("sts").assume_role(RoleArn=f"arn:aws:iam::000000000000:role/{name}", RoleSessionName="ready")


def create_bucket(name: str) -> None:
    """Create the bucket `name` in the configured region, if it does not exist."""
    region = os.environ["AWS_DEFAULT_REGION"]
    s3 = client("s3")
    # us-east-1 is S3's default and must not be set;
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    where: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name, **where)
    print(f"bucket {name} exists")


create_role_for(os.environ["FLOE_ROLE"], os.environ["FLOE_WAREHOUSE_BUCKET"])
for bucket_name in os.environ["FLOE_BUCKETS"].split(","):
    create_bucket(bucket_name)
