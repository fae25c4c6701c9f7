"""The source action of an object in S3: a version of it becomes the action's artifact."""

from typing import Any

from botocore.exceptions import ClientError

from localaws.core.errors import ServiceError
from localaws.services.codebuild.work import S3Object
from localaws.services.codepipeline.action_run import ActionFailure, ActionRun

# Of the bucket and of the object, as the action's reference lists them for the service role.
_BUCKET_ACTIONS = ("GetBucketVersioning", "GetBucketAcl", "GetBucketLocation")
_OBJECT_ACTIONS = ("GetObject", "GetObjectVersion", "GetObjectTagging", "GetObjectVersionTagging")
_SUMMARY = "codepipeline-artifact-revision-summary"


def fetch_object(run: ActionRun) -> tuple[dict[str, S3Object], bytes]:
    """The place of the object in the artifact bucket, and its content."""
    bucket, key = run.configuration["S3Bucket"], run.configuration["S3ObjectKey"]
    s3: Any = run.account.client("s3", run.credentials)
    try:
        for actions, arn in (
            (_BUCKET_ACTIONS, f"arn:aws:s3:::{bucket}"),
            (_OBJECT_ACTIONS, f"arn:aws:s3:::{bucket}/{key}"),
        ):
            for action in actions:
                run.require(f"s3:{action}", arn)
        _require_versioning(s3, bucket)
        wanted = {"VersionId": run.revision} if run.revision else {}
        version = s3.head_object(Bucket=bucket, Key=key, **wanted)["VersionId"]
        found = s3.get_object(Bucket=bucket, Key=key, VersionId=version)
        content = found["Body"].read()
    except (ClientError, ServiceError) as error:
        raise _failure(error, bucket, key) from error
    run.variables.update(BucketName=bucket, ETag=found["ETag"].strip('"'), ObjectKey=key, VersionId=version)
    summary = found["Metadata"].get(_SUMMARY) or f"Amazon S3 version id: {version}"
    url = f"https://console.aws.amazon.com/s3/home?region={run.account.region}#"
    run.record_source(version, summary, url)
    return run.outputs(), content


def _require_versioning(s3: Any, bucket: str) -> None:
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")
    if status != "Enabled":
        raise ActionFailure(
            "ConfigurationError",
            f"The Amazon S3 bucket {bucket} is not versioned: its versioning is {status}. An S3 source action needs a"
            " bucket with versioning enabled.",
        )


def _failure(error: ClientError | ServiceError, bucket: str, key: str) -> ActionFailure:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else error.code
    if code in ("AccessDenied", "403"):
        return ActionFailure(
            "PermissionError",
            "The service role or action role doesn't have the permissions required to access the Amazon S3 bucket"
            f" named {bucket}. Update the IAM role permissions, and then try again. Error: {error}",
        )
    if code in ("NoSuchKey", "NoSuchVersion", "404"):
        return ActionFailure(
            "ConfigurationError",
            f"The Amazon S3 bucket {bucket} has no object with the key {key}. Error: {error}",
        )
    return ActionFailure("ConfigurationError", f"The Amazon S3 bucket named {bucket}: {error}")
