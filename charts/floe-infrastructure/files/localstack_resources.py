"""Make the IAM role and the buckets, each time that LocalStack starts.

LocalStack runs this file (``ready.d``) inside its own process once it serves: it keeps nothing over a restart. Making
what exists already changes nothing. The warehouse's bucket comes last, because the readiness probe takes it for the
sign that all is done; an exception ends up in LocalStack's log and leaves the pod not ready.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import boto3  # type: ignore[import-not-found,unused-ignore]  # LocalStack brings it

ENDPOINT = "http://127.0.0.1:4566"
# Any credentials do; account 000000000000 is that of the access key "test" (LocalStack reads it off the key's form).
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def client(service: str) -> Any:
    """Return a client of this LocalStack's `service`."""
    return boto3.client(service, endpoint_url=ENDPOINT, region_name=os.environ["AWS_DEFAULT_REGION"], **CREDENTIALS)


def make_role(name: str, bucket: str) -> None:
    """Make the role that anyone of the account may assume and that may do everything in `bucket`."""
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
    # Proves the role, and loads STS now: the first caller would wait for it otherwise.
    client("sts").assume_role(RoleArn=f"arn:aws:iam::000000000000:role/{name}", RoleSessionName="ready")


def make_bucket(name: str) -> None:
    """Make the bucket `name` in the configured region, or leave it as it is."""
    region = os.environ["AWS_DEFAULT_REGION"]
    s3 = client("s3")
    # us-east-1 is S3's default and may not be named; https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    where: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name, **where)
    print(f"bucket {name} is there")


make_role(os.environ["FLOE_ROLE"], os.environ["FLOE_WAREHOUSE_BUCKET"])
for bucket_name in os.environ["FLOE_BUCKETS"].split(","):
    make_bucket(bucket_name)
