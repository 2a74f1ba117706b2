# noqa: INP001 - copied into the container, never imported
"""Start LocalStack once during the image build and use all three services.

This compiles exactly the modules that are used, and creates plux's index of plugins and the index of services. A
container then starts in 1 s of processor time instead of 3 s, and its first S3 request takes 0.5 s instead of 10 s. It
is also a test: the build fails if a service does not start or answer.
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
    """Start, use and stop LocalStack; any failure fails the build."""
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
            sys.exit(f"LocalStack exited with {code} after SIGTERM")
    finally:
        server.kill()


def wait(server: subprocess.Popen[bytes], url: str) -> None:
    """Wait until LocalStack answers, for at most two minutes on a busy machine."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"LocalStack exited with {server.returncode} at its start")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a local http URL
                services = json.load(answer)["services"]
        except OSError:
            time.sleep(0.1)
        else:
            absent = {name for name in ("s3", "sts", "iam") if services.get(name) not in {"available", "running"}}
            if absent:
                sys.exit(f"LocalStack lacks {', '.join(sorted(absent))}: {services}")
            return
    sys.exit("timed out after 120 s waiting for LocalStack")


def use(endpoint: str) -> None:
    """Run the common operations of tests once."""
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
        sys.exit("S3 does not list the stored object")
    if s3.get_object(Bucket=ROLE, Key="a/b")["Body"].read() != b"c":
        sys.exit("S3 does not return the stored object")
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    iam.create_user(UserName=ROLE)
    iam.create_access_key(UserName=ROLE)
    assumed = sts.assume_role(RoleArn=role, RoleSessionName=ROLE)["AssumedRoleUser"]["Arn"]
    if f"assumed-role/{ROLE}/{ROLE}" not in assumed:
        sys.exit(f"STS returned another role: {assumed}")
    sts.get_caller_identity()


if __name__ == "__main__":
    if HOME not in Path(sys.executable).parents:
        sys.exit("run this program with LocalStack's own Python, during the image build")
    main()
