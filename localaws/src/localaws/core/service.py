"""The base class of the services that the local AWS implements itself.

Requests and responses have the shapes of the public API (botocore's models): a request that AWS would
refuse for its shape is refused here, and so is an operation that is not implemented, with its name.
"""

from typing import ClassVar

from botocore import xform_name

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Caller
from localaws.core.request_validation import service_model, validate_request


class Service:
    """One service: a method per operation, named as boto3 names it, from request to response."""

    name: ClassVar[str]  # botocore's service name

    def __init__(self, account: Account) -> None:
        self.account = account

    def call(self, operation: str, request: Json, caller: Caller) -> Json:  # noqa: ARG002 - for subclasses
        """Answer one operation, named as in the API ("CreatePipeline")."""
        method = getattr(self, xform_name(operation), None)
        if method is None or operation not in service_model(self.name).operation_names:
            raise ServiceError(
                "UnsupportedOperation", f"The local AWS does not support {self.name}:{operation}.", 501
            )
        validate_request(self.name, operation, request)
        response: Json = method(request)
        return response

    def close(self) -> None:
        """End what the service started; called once when the local AWS goes down."""
