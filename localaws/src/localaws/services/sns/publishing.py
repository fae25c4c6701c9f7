"""Messages of AWS's services to SNS topics, as far as the topic's own policy lets them.

EventBridge's input transformer renders them. The topics and their subscriptions are moto's.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from moto.sns.models import sns_backends

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.services.iam.policies import Decision, Request, decide
from localaws.services.kms.key_use import require_use_by_service

_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


def publish(
    account: Account,
    topic_arn: str,
    message: str,
    *,
    service: str,
    context: Mapping[str, list[str]] | None = None,
) -> None:
    """Publish as the service; raises ServiceError when the topic's policy does not let it.

    `context` has the condition keys of the service. EventBridge has none, so that a statement with a condition
    never allows it.
    """
    topic = sns_backends[ACCOUNT_ID][account.region].topics.get(topic_arn)
    if topic is None:
        raise ServiceError("NotFound", f"Topic {topic_arn} does not exist")
    request = Request("sns:Publish", topic_arn, context or {}, principals=frozenset({service}))
    if decide([topic.policy], request) is not Decision.ALLOWED:
        raise ServiceError(
            "AuthorizationError", f"{service} is not allowed to sns:Publish by the policy of {topic_arn}", 403
        )
    if topic.kms_master_key_id:
        require_use_by_service(topic.kms_master_key_id, service, "kms:GenerateDataKey", {})
    topic.publish(message)


def target_input(target: Json, event: Json) -> str:
    """The input of a target: the constant Input, a part of the event (InputPath), a text made of parts, or all."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_at(event, target["InputPath"]))
    if "InputTransformer" not in target:
        return json.dumps(event)
    paths = target["InputTransformer"].get("InputPathsMap", {})
    values = {name: _at(event, path) for name, path in paths.items()}
    values["aws.events.event.json"] = event
    values["aws.events.event"] = event
    values["aws.events.event.ingestion-time"] = event["time"]

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise ServiceError(
                "ValidationException", f"InputTemplate has the placeholder <{name}>, InputPathsMap does not."
            )
        value = values[name]
        return value if isinstance(value, str) else "" if value is None else json.dumps(value)

    return _PLACEHOLDER.sub(fill, _checked(target["InputTransformer"]["InputTemplate"]))


def _checked(template: str) -> str:
    """EventBridge takes JSON, or lines that are each a quoted text; the quotes stay in what is delivered."""
    lines = template.splitlines()
    if all(re.fullmatch(r'"(?:[^"\\]|\\.)*"', line.strip()) for line in lines):
        return template
    try:
        json.loads(_PLACEHOLDER.sub("0", template))
    except ValueError:
        raise ServiceError(
            "ValidationException", f"InputTemplate is neither JSON nor quoted text: {template!r}"
        ) from None
    return template


def _at(event: Json, path: str) -> Any:
    """Return the value at a path such as $.detail.stage or $.resources[0], or None."""
    if not re.fullmatch(r"\$(\.[\w-]+(\[\d+\])?)*", path):
        raise ServiceError("ValidationException", f"The local AWS does not support the input path {path!r}.")
    value: Any = event
    for key, index in re.findall(r"\.([\w-]+)(?:\[(\d+)\])?", path):
        value = value.get(key) if isinstance(value, dict) else None
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
    return value
