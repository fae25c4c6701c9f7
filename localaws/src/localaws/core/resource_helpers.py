"""CloudFormation types of services that moto runs: made through their APIs, property by property.

moto's own CloudFormation ignores properties that it does not know; these name them instead.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.identity import Credentials
from localaws.core.resource import Properties

_CLIENTS: dict[tuple[int, str, str], Any] = {}
_ACTING: ContextVar[Credentials | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(credentials: Credentials) -> Iterator[None]:
    """Use these rights for a stack's resources: its role's, or those of CloudFormation's caller."""
    token = _ACTING.set(credentials)
    try:
        yield
    finally:
        _ACTING.reset(token)


def acting(account: Account) -> Credentials:
    return _ACTING.get() or account.administrator


def client(account: Account, service: str) -> Any:
    """The boto3 client of the acting identity, made once for each: a client costs as much as ten requests."""
    credentials = acting(account)
    key = (id(account), service, credentials.access_key_id)
    if key not in _CLIENTS:
        _CLIENTS[key] = account.client(service, credentials)
    return _CLIENTS[key]


def generated_name(logical_id: str, *, limit: int, lower: bool = False) -> str:
    suffix = uuid4().hex[:12] if lower else uuid4().hex[:12].upper()
    name = f"{logical_id[: limit - 13]}-{suffix}"
    return name.lower() if lower else name


def require_known(type_name: str, properties: Properties, known: set[str]) -> None:
    unknown = sorted(properties.keys() - known)
    if unknown:
        raise validation_error(f"The local AWS does not support {', '.join(unknown)} of {type_name}.")


def ignore_missing(call: Any, *codes: str) -> None:
    """Deleting what is gone already is no error."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def policy_text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
