"""What versions of objects ask of their caller."""

import json
from collections.abc import Callable
from typing import Any

from tests.services.s3.conftest import refusal

DENIED = ("AccessDenied", 403)
ClientOf = Callable[..., Any]


def test_a_version_is_read_and_deleted_with_rights_of_its_own(
    s3: Any, bucket: str, client_of: ClientOf
) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    version = s3.put_object(**place, Body=b"1")["VersionId"]
    s3.put_object(**place, Body=b"2")
    objects, versions = client_of("s3:*Object"), client_of("s3:GetObjectVersion", "s3:DeleteObjectVersion")
    assert objects.get_object(**place)["Body"].read() == b"2"
    assert versions.get_object(**place, VersionId=version)["Body"].read() == b"1"
    source = {**place, "VersionId": version}
    for call in (
        lambda: objects.get_object(**place, VersionId=version),
        lambda: objects.delete_object(**place, VersionId=version),
        lambda: objects.copy_object(Bucket=bucket, Key="b", CopySource=source),
        lambda: versions.get_object(**place),
        lambda: versions.delete_object(**place),
    ):
        assert refusal(call) == DENIED
    objects.delete_object(**place)
    assert refusal(lambda: s3.get_object(**place)) == ("NoSuchKey", 404)
    versions.delete_object(**place, VersionId=version)
    assert refusal(lambda: s3.get_object(**place, VersionId=version)) == ("NoSuchVersion", 404)


def test_tags_acls_and_attributes_of_a_version_have_actions_of_their_own(
    s3: Any, bucket: str, client_of: ClientOf
) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    version = s3.put_object(**place, Body=b"1")["VersionId"]
    current = client_of("s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectAcl", "s3:GetObjectAttributes")
    current.get_object_tagging(**place)
    current.get_object_acl(**place)
    for call in (
        lambda: current.get_object_tagging(**place, VersionId=version),
        lambda: current.get_object_acl(**place, VersionId=version),
        lambda: client_of("s3:GetObject").get_object_attributes(**place, ObjectAttributes=["ETag"]),
    ):
        assert refusal(call) == DENIED


def test_a_policy_names_a_version(s3: Any, bucket: str, client_of: ClientOf) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    first, second = (s3.put_object(**place, Body=b"")["VersionId"] for _ in range(2))
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObjectVersion",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:versionid": first}},
    }
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    s3.get_object(**place, VersionId=first)
    assert refusal(lambda: s3.get_object(**place, VersionId=second)) == DENIED


def test_what_was_there_before_the_versioning_is_kept(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(**place, Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**place, Body=b"after")
    assert s3.get_object(**place, VersionId="null")["Body"].read() == b"before"
    assert s3.get_object(**place)["Body"].read() == b"after"


def test_a_bucket_is_emptied_of_its_versions_and_markers_page_by_page(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        for _ in range(3):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 5})
    removed = 0
    for page in pages:
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in entries]
        assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        removed += len(keys)
    assert removed == 12
    left = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in left
    assert "DeleteMarkers" not in left


def test_objects_are_deleted_or_refused_each_by_itself(s3: Any, bucket: str, client_of: ClientOf) -> None:
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"")["VersionId"]
    s3.put_object(Bucket=bucket, Key="b", Body=b"")
    client = client_of("s3:DeleteObject")
    objects = [{"Key": "a", "VersionId": version}, {"Key": "b"}]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    (error,) = answer["Errors"]
    assert error["Key"] == "a"
    assert error["VersionId"] == version
    assert error["Code"] == "AccessDenied"
    assert "s3:DeleteObjectVersion" in error["Message"]
    (deleted,) = answer["Deleted"]
    assert deleted["Key"] == "b"
    assert deleted["DeleteMarker"]
    s3.get_object(Bucket=bucket, Key="a")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    assert "Deleted" not in answer
    assert "Errors" not in answer


def test_a_deletion_names_objects_of_a_bucket(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Delete": {"Objects": []}}
    assert refusal(lambda: s3.delete_objects(**place)) == ("MalformedXML", 400)
    assert refusal(lambda: s3.delete_objects(Bucket="no-such", Delete={"Objects": [{"Key": "a"}]})) == (
        "NoSuchBucket",
        404,
    )
