"""Custom resources: a Lambda function gets the change and answers to a pre-signed address of ours."""

import json
import secrets
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.resource import CreationFailed, Properties
from localaws.services.awslambda.service import Invocation, invoke
from localaws.services.cloudformation.rights import require_right

RESPONSE_PREFIX = "/_localaws/cloudformation-response/"
# A function may leave the answer to something else that it started, until the timeout.
ANSWER_SECONDS_AFTER_END = 2.0
_ANSWERS: dict[str, SimpleQueue[Json]] = {}
_DATA: dict[tuple[str, str], Json] = {}


def is_custom(resource_type: str) -> bool:
    return resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource"


def receive(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The address that a function PUTs its answer to; a long random token is its only key, as on AWS."""
    request = Request(environ)
    token = request.path.removeprefix(RESPONSE_PREFIX)
    answers = _ANSWERS.get(token)
    if request.method != "PUT" or answers is None:
        return Response("no such response address\n", 403)(environ, start_response)
    answers.put(json.loads(request.get_data()))
    return Response("", 200)(environ, start_response)


class CustomResource:
    def __init__(self, resource_type: str, *, stack_id: str, logical_id: str) -> None:
        self.type = resource_type
        self._stack_id = stack_id
        self._logical_id = logical_id

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        default = f"{logical_id}-{uuid4().hex[:12].upper()}"
        answer = self._request(account, "Create", properties, {})
        physical_id = str(answer.get("PhysicalResourceId") or default)
        if answer["Status"] != "SUCCESS":
            raise CreationFailed(_reason(answer), physical_id)
        self._keep(answer)
        return physical_id

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return dict(_DATA.get((self._stack_id, self._logical_id), {}))

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        extra = {"PhysicalResourceId": physical_id, "OldResourceProperties": _as_strings(old)}
        answer = self._succeed(account, "Update", properties, extra)
        self._keep(answer)
        return str(answer.get("PhysicalResourceId") or physical_id)

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        self._succeed(account, "Delete", properties, {"PhysicalResourceId": physical_id})
        _DATA.pop((self._stack_id, self._logical_id), None)

    def _keep(self, answer: Json) -> None:
        _DATA[(self._stack_id, self._logical_id)] = answer.get("Data") or {}

    def _succeed(self, account: Account, kind: str, properties: Properties, extra: Json) -> Json:
        answer = self._request(account, kind, properties, extra)
        if answer["Status"] != "SUCCESS":
            raise ServiceError("GeneralServiceException", _reason(answer))
        return answer

    def _request(self, account: Account, kind: str, properties: Properties, extra: Json) -> Json:
        function = str(properties["ServiceToken"])
        if ":lambda:" not in function:
            raise ServiceError(
                "InvalidRequest",
                f"The local AWS does not support a ServiceToken that is no Lambda function: {function}",
            )
        require_right(account, "lambda:InvokeFunction", function)
        token = secrets.token_urlsafe(32)
        answers = _ANSWERS[token] = SimpleQueue()
        event = {
            "RequestType": kind,
            "ServiceToken": function,
            "ResponseURL": f"{account.endpoint_url}{RESPONSE_PREFIX}{token}",
            "StackId": self._stack_id,
            "RequestId": str(uuid4()),
            "LogicalResourceId": self._logical_id,
            "ResourceType": self.type,
            "ResourceProperties": _as_strings(properties),
            **extra,
        }
        try:
            return _wait(account, function, event, answers)
        finally:
            del _ANSWERS[token]


def _wait(account: Account, function: str, event: Json, answers: SimpleQueue[Json]) -> Json:
    """The first answer; what the function returns does not count."""
    ended: list[Invocation | ServiceError] = []
    done = threading.Event()

    def run() -> None:
        try:
            ended.append(invoke(account, function, json.dumps(event)))
        except ServiceError as error:
            ended.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    done.wait()
    try:
        return answers.get(timeout=ANSWER_SECONDS_AFTER_END)
    except Empty:
        outcome = ended[0] if ended else None
        if isinstance(outcome, ServiceError):
            raise outcome from None
        detail = (
            outcome.error_message
            if outcome is not None and outcome.error
            else "the function ended without one"
        )
        raise ServiceError(
            "NotStabilized",
            f"CloudFormation did not receive a response from your Custom Resource {event['LogicalResourceId']}: "
            f"{detail}",
        ) from None


def _reason(answer: Json) -> str:
    return f"Received response status [FAILED] from custom resource. Message returned: {answer.get('Reason', '')}"


def _as_strings(value: Any) -> Any:
    """CloudFormation hands every scalar to a function as a string."""
    if isinstance(value, dict):
        return {key: _as_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_strings(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
