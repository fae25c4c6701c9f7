"""SageMaker Runtime: InvokeEndpoint."""

import time
from typing import ClassVar

import urllib3

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.core.service import Service
from localaws.core.validation import refuse_members
from localaws.services.sagemaker.endpoints.variant import Retired, Variant
from localaws.services.sagemaker.service import SageMaker

MEGABYTE = 1024 * 1024
SERVERLESS_PAYLOAD_LIMIT_BYTES = 4 * MEGABYTE
INSTANCE_PAYLOAD_LIMIT_BYTES = 25 * MEGABYTE
CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MEMBERS = {
    "EndpointName",
    "Body",
    "ContentType",
    "Accept",
    "CustomAttributes",
    "InferenceId",
    "TargetVariant",
}


class SageMakerRuntime(Service):
    name: ClassVar[str] = "sagemaker-runtime"

    def __init__(self, account: Account, sagemaker: SageMaker) -> None:
        super().__init__(account)
        self._sagemaker = sagemaker

    def invoke_endpoint(self, request: Json) -> Json:
        started = time.perf_counter()
        refuse_members(request, MEMBERS, "InvokeEndpoint")
        while True:
            variant = self._serving(request)
            try:
                return self._invoke(variant, request, started)
            except Retired:
                continue

    def _serving(self, request: Json) -> Variant:
        """The serving variant; raises ServiceError when there is none, or none for such a request."""
        name = request["EndpointName"]
        variant = self._sagemaker.endpoints.serving(name)
        if variant is None:
            raise ServiceError("ValidationError", f"Endpoint {name} of account {ACCOUNT_ID} not found.")
        if request.get("TargetVariant", variant.name) != variant.name:
            raise ServiceError(
                "ValidationError", f"Variant {request['TargetVariant']} not found for endpoint {name}."
            )
        size = len(request.get("Body", b""))
        limit = SERVERLESS_PAYLOAD_LIMIT_BYTES if variant.serverless else INSTANCE_PAYLOAD_LIMIT_BYTES
        if size > limit:
            raise ServiceError(
                "ValidationError", f"Request body of {size} bytes exceeds the limit of {limit} bytes.", 413
            )
        return variant

    def _ask(self, variant: Variant, request: Json, started: float) -> urllib3.BaseHTTPResponse:
        """The container's answer of any status; it is counted, and so is none."""
        headers = {"Content-Type": request.get("ContentType", "application/json")}
        for member, header in (("Accept", "Accept"), ("CustomAttributes", CUSTOM_ATTRIBUTES)):
            if member in request:
                headers[header] = request[member]
        asked = time.perf_counter()
        try:
            response = variant.invoke(request.get("Body", b""), headers)
        except urllib3.exceptions.HTTPError:
            variant.metrics.record(0, time.perf_counter() - asked, asked - started)
            raise
        variant.metrics.record(response.status, time.perf_counter() - asked, asked - started)
        return response

    def _invoke(self, variant: Variant, request: Json, started: float) -> Json:
        try:
            response = self._ask(variant, request, started)
        except urllib3.exceptions.TimeoutError as error:
            message = (
                "Your invocation timed out while waiting for a response from container primary. Review the "
                "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
            raise self._model_error(variant, 0, message) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._model_error(variant, 0, f"The container does not answer: {error}") from error
        if response.status >= 400:
            raise self._model_error(variant, response.status, response.data.decode(errors="replace"))
        content_type = response.headers.get("Content-Type", "")
        variant.capture(request, response.data, content_type)
        answer: Json = {
            "Body": response.data,
            "ContentType": content_type,
            "InvokedProductionVariant": variant.name,
        }
        if CUSTOM_ATTRIBUTES in response.headers:
            answer["CustomAttributes"] = response.headers[CUSTOM_ATTRIBUTES]
        return answer

    def _model_error(self, variant: Variant, status: int, message: str) -> ServiceError:
        region, group = self.account.region, variant.log_group
        kind = "client" if 400 <= status < 500 else "server"
        text = (
            f'Received {kind} error ({status}) from primary with message "{message}". See '
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logEventViewer:group={group} in account {ACCOUNT_ID} for more information."
        )
        details = {
            "OriginalStatusCode": status,
            "OriginalMessage": message,
            "LogStreamArn": self.account.arn("logs", f"log-group:{group}"),
        }
        return ServiceError("ModelError", text, 424, details)
