"""Test S3 of LocalStack."""

import httpx
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.service("localstack")


def test_object_reads_back_unchanged(s3, bucket):
    body = bytes(range(256)) * 64
    s3.put_object(Bucket=bucket, Key="a/b c/ü.bin", Body=body, ContentType="application/x-floe", Metadata={"n": "1"})

    found = s3.get_object(Bucket=bucket, Key="a/b c/ü.bin")

    assert found["Body"].read() == body
    assert found["ContentType"] == "application/x-floe"
    assert found["Metadata"] == {"n": "1"}


def test_object_range_can_be_read(s3, bucket):
    s3.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")

    found = s3.get_object(Bucket=bucket, Key="digits", Range="bytes=2-4")

    assert found["Body"].read() == b"234"
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_listing_is_paged_and_limited_to_prefix(s3, bucket):
    for number in range(7):
        s3.put_object(Bucket=bucket, Key=f"in/{number}", Body=b"x")
    s3.put_object(Bucket=bucket, Key="out/0", Body=b"x")

    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="in/", PaginationConfig={"PageSize": 3})
    )

    assert [len(page["Contents"]) for page in pages] == [3, 3, 1]
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == [f"in/{number}" for number in range(7)]


def test_multipart_upload_creates_one_object(s3, bucket):
    first, second = b"a" * (5 << 20), b"b" * 1024  # 5 MiB is S3's minimum size of a part, except for the last one
    upload = s3.create_multipart_upload(Bucket=bucket, Key="whole")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key="whole", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in enumerate((first, second), start=1)
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="whole", UploadId=upload, MultipartUpload={"Parts": parts})

    assert s3.get_object(Bucket=bucket, Key="whole")["Body"].read() == first + second


def test_presigned_url_serves_object(s3, bucket, http):
    s3.put_object(Bucket=bucket, Key="shared", Body=b"for whoever has the address")
    address = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "shared"}, ExpiresIn=60)

    answer = http.get(address)

    assert answer.status_code == httpx.codes.OK
    assert answer.content == b"for whoever has the address"


def test_missing_object_is_an_error(s3, bucket):
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="never")

    assert caught.value.response["Error"]["Code"] == "NoSuchKey"


def test_warehouse_bucket_exists(s3):
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

    assert "warehouse" in names
