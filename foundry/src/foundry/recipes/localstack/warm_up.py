# noqa: INP001 - copied into the container, never imported
"""Start LocalStack once while its image is built, and use all three services.

Python then has compiled exactly the modules that are used, plux has found LocalStack's plugins and the index of
services is made: a container starts in 1 s of processor time instead of 3, and its first S3 request takes 0.5 s
instead of 10.
It is also a test: what cannot start or answer never becomes an image.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3

HOME = Path("/opt/code/localstack")
ROLE = "warm-up"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def main() -> None:
    """Start, use and stop it; any failure is the build's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        **os.environ,
        "XDG_CACHE_HOME": f"{HOME}/.cache",
        "OVERRIDE_IN_DOCKER": "1",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "SERVICES": "s3,sts,iam",
        "DNS_ADDRESS": "0",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }
    subprocess.run([sys.executable, "-m", "localstack.aws.spec"], cwd=HOME, env=settings, check=True)
    server = subprocess.Popen([sys.executable, "-m", "localstack.runtime.main"], cwd=HOME, env=settings)
    try:
        wait(server, f"http://127.0.0.1:{port}/_localstack/health")
        use(f"http://127.0.0.1:{port}")
        server.terminate()
        if code := server.wait(60):
            sys.exit(f"LocalStack ended with {code} when asked to stop")
    finally:
        server.kill()


def wait(server: subprocess.Popen[bytes], url: str) -> None:
    """Return when it answers; two minutes are for a machine under load."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"LocalStack ended with {server.returncode} at its start")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - an http URL of our own
                services = json.load(answer)["services"]
        except OSError:
            time.sleep(0.1)
        else:
            absent = {name for name in ("s3", "sts", "iam") if services.get(name) not in {"available", "running"}}
            if absent:
                sys.exit(f"LocalStack lacks {', '.join(sorted(absent))}: {services}")
            return
    sys.exit("LocalStack did not answer in two minutes")


def use(endpoint: str) -> None:
    """One round through what tests commonly do."""
    account = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    s3, sts, iam = (boto3.client(name, endpoint_url=endpoint, **account) for name in ("s3", "sts", "iam"))
    s3.create_bucket(Bucket=ROLE)
    s3.put_object(Bucket=ROLE, Key="a/b", Body=b"c")
    upload = s3.create_multipart_upload(Bucket=ROLE, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=ROLE, Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * 4096)
    s3.complete_multipart_upload(
        Bucket=ROLE, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    s3.copy_object(Bucket=ROLE, Key="copy", CopySource=f"{ROLE}/a/b")
    s3.head_object(Bucket=ROLE, Key="copy")
    s3.delete_objects(Bucket=ROLE, Delete={"Objects": [{"Key": "parts"}, {"Key": "copy"}]})
    if [found["Key"] for found in s3.list_objects_v2(Bucket=ROLE)["Contents"]] != ["a/b"]:
        sys.exit("S3 does not list what was put into it")
    if s3.get_object(Bucket=ROLE, Key="a/b")["Body"].read() != b"c":
        sys.exit("S3 does not give back what was put into it")
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    iam.create_user(UserName=ROLE)
    iam.create_access_key(UserName=ROLE)
    assumed = sts.assume_role(RoleArn=role, RoleSessionName=ROLE)["AssumedRoleUser"]["Arn"]
    if f"assumed-role/{ROLE}/{ROLE}" not in assumed:
        sys.exit(f"STS gave another role: {assumed}")
    sts.get_caller_identity()


if __name__ == "__main__":
    if HOME not in Path(sys.executable).parents:
        sys.exit("run me with LocalStack's own Python, in the container that becomes its image")
    main()
