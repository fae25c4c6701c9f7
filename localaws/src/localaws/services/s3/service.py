"""What S3 refuses and moto takes."""

import re

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"(?!.*\.\.)(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_conditions(account: Account, request: Json) -> None:
    """Of a write, S3 knows the absence of any object only, not of one with an ETag."""
    if request.get("IfNoneMatch", "*") != "*":
        raise ServiceError(
            "NotImplemented", "A header you provided implies functionality that is not implemented", 501
        )


def check_bucket_name(account: Account, request: Json) -> None:
    name = request["Bucket"]
    if not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name) or name.endswith(_RESERVED_ENDS):
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
