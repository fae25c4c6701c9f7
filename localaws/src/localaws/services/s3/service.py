"""Requests that S3 refuses and moto takes, and the deletion of several objects, some of which S3 may refuse."""

import re
from collections.abc import Callable, Mapping

from moto.s3.models import s3_backends

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.services.iam.authorization import CALLER, authorize
from localaws.services.s3.permissions import deletion

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"(?!.*\.\.)(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_MOST_DELETED = 1000  # objects of one request
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_conditions(_account: Account, request: Json) -> None:
    """Refuse a write with an `If-None-Match` other than `*`: S3 has no other."""
    if request.get("IfNoneMatch", "*") != "*":
        raise ServiceError(
            "NotImplemented", "A header you provided implies functionality that is not implemented", 501
        )


def check_bucket_name(_account: Account, request: Json) -> None:
    name = request["Bucket"]
    if not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name) or name.endswith(_RESERVED_ENDS):
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")


def delete_objects(account: Account, request: Json) -> Json:
    """Each object is deleted or refused by itself: the request succeeds, and its answer has the errors."""
    backend, bucket, wanted = s3_backends[ACCOUNT_ID]["aws"], request["Bucket"], request["Delete"]
    entries = wanted.get("Objects", [])
    if bucket not in backend.buckets:
        raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404)
    if not 1 <= len(entries) <= _MOST_DELETED:
        raise ServiceError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    if any(member in entry for entry in entries for member in ("ETag", "LastModifiedTime", "Size")):
        raise ServiceError("NotImplemented", "The local AWS does not support conditional deletes.", 501)
    allowed, errors = [], []
    for entry in entries:
        permission = deletion(bucket, entry)
        context = {"aws:requestedregion": [account.region], **permission.context}
        try:
            authorize(CALLER.get(), permission.action, permission.resource, context)
            allowed.append(entry)
        except ServiceError as error:
            errors.append({**entry, "Code": error.code, "Message": error.message})
    deleted, locked = backend.delete_objects(bucket, allowed)
    errors += [{"Key": key, "Code": "AccessDenied", "Message": "Access Denied"} for key in locked]
    told = [] if wanted.get("Quiet") else [_deleted(*each) for each in deleted]
    return {key: entries for key, entries in (("Deleted", told), ("Errors", errors)) if entries}


def _deleted(key: str, version: str | None, marker: str | None) -> Json:
    made = {"DeleteMarker": True, "DeleteMarkerVersionId": marker} if marker else {}
    return {"Key": key, **({"VersionId": version} if version else {}), **made}


OPERATIONS: Mapping[str, Callable[[Account, Json], Json]] = {"DeleteObjects": delete_objects}
