"""Requests that CloudWatch Logs refuses and moto takes."""

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.resource_schema import resource_schema


def check_retention(account: Account, request: Json) -> None:
    """The API's model knows no values; the registry's schema of a log group does."""
    schema = resource_schema("AWS::Logs::LogGroup", account.region)
    assert schema is not None
    allowed = schema.schema["properties"]["RetentionInDays"]["enum"]
    if request["retentionInDays"] not in allowed:
        raise ServiceError(
            "InvalidParameterException", f"Invalid retention value. Valid values are: {allowed}"
        )
