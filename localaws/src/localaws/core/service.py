"""What the services share that the local AWS implements itself.

Requests and responses have the shapes of the public API (botocore's models): a request that AWS would
refuse for its shape is refused here, and so is an operation that is not implemented, with its name.
"""

from functools import lru_cache
from typing import ClassVar

import botocore.session
from botocore import xform_name
from botocore.exceptions import ParamValidationError
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Caller


@lru_cache
def service_model(service_name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service_name)


def validate_request(service_name: str, operation: str, request: Json) -> None:
    """Raises ServiceError("ValidationException") when botocore's shape of the operation's input refuses it."""
    shape = service_model(service_name).operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        error = ParamValidationError(report=report.generate_report())
        raise ServiceError("ValidationException", f"{service_name}:{operation}: {error}")


class Service:
    """One service: a method per operation, named as boto3 names it, from request to response."""

    name: ClassVar[str]  # botocore's service name

    def __init__(self, account: Account) -> None:
        self.account = account

    def call(self, operation: str, request: Json, caller: Caller) -> Json:
        """Answers one operation, named as in the API ("CreatePipeline")."""
        method = getattr(self, xform_name(operation), None)
        if method is None or operation not in service_model(self.name).operation_names:
            raise ServiceError(
                "UnsupportedOperation", f"The local AWS does not support {self.name}:{operation}.", 501
            )
        validate_request(self.name, operation, request)
        response: Json = method(request)
        return response

    def close(self) -> None:
        """Ends what the service started; called once when the local AWS goes down."""
