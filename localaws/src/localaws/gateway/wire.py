"""Parser of an HTTP request into an operation with its parameters, and serializer of a response or an error."""

import json
from io import BytesIO
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import botocore.loaders
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from localaws.core.errors import Json, ServiceError
from localaws.core.permission import Operation

SERVICE_OF_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "email": "ses",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "sagemaker-mlflow": "sagemaker",
}
KNOWN_SERVICES = frozenset(botocore.loaders.Loader().list_available_services("service-2"))


def service_of(signing_name: str, path: str, target: str) -> str:
    service = SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)
    if service == "sagemaker" and path.startswith("/endpoints/"):
        return "sagemaker-runtime"
    if service == "sagemaker" and not target:
        return "sagemaker-metrics" if path.endswith("BatchPutMetrics") else service
    if service not in KNOWN_SERVICES:
        raise ServiceError(
            "UnsupportedService", f"The local AWS does not know the service {signing_name!r}.", 501
        )
    return service


def read_operation(service: str, environ: dict[str, Any], body: bytes) -> Operation:
    request = Request({**environ, "wsgi.input": BytesIO(body)})
    try:
        model, uri_parameters = get_service_router(service).match(request)
    except (NotFound, NotImplementedError) as error:
        what = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        raise ServiceError("UnknownOperationException", f"{service} has no operation for {what}.") from error
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    parser = PROTOCOL_PARSERS[protocol](model)
    parameters = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            # An object's content is no parameter that anything here looks at.
            "body": b"" if (service, str(model.name)) == ("s3", "PutObject") else body,
            "url_path": request.path,
            "url_params": uri_parameters,
        }
    )
    return Operation(service, str(model.name), dict(parameters), protocol)


def success(operation: Operation, result: Json) -> Response:
    model = get_service_model(operation.service).operation_model(operation.name)
    serialized = get_serializer_class(operation.service, operation.protocol)(model).serialize(result)
    headers = {**serialized["headers"], "x-amzn-RequestId": str(uuid4())}
    return Response(serialized["body"], status=serialized["status_code"], headers=headers)


def failure(error: ServiceError, service: str, protocol: str) -> Response:
    request_id = str(uuid4())
    headers = {"x-amzn-RequestId": request_id}
    if protocol in ("json", "rest-json"):
        body = {"__type": error.code, "message": error.message, "Message": error.message, **error.details}
        headers["x-amzn-ErrorType"] = error.code
        headers["Content-Type"] = "application/x-amz-json-1.1" if protocol == "json" else "application/json"
        return Response(json.dumps(body), error.status, headers)
    headers["Content-Type"] = "text/xml"
    code, message = escape(error.code), escape(error.message)
    if service == "s3":
        xml = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
    else:
        xml = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Response('<?xml version="1.0" encoding="UTF-8"?>' + xml, error.status, headers)


def protocol_of(service: str, content_type: str | None) -> str:
    """The protocol in which to answer a request whose operation is unknown."""
    if service not in KNOWN_SERVICES:
        return "json"
    try:
        return determine_request_protocol(get_service_model(service), content_type)
    except NotImplementedError:
        return str(get_service_model(service).protocol)
