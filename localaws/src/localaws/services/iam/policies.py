"""IAM's policy language: does a set of policy documents allow, deny or not mention a request? Pure.

As on AWS a condition on a key that the request does not carry does not match (negated operators do match, as do
`…IfExists` and `Null: true`). An operator or policy variable that is not implemented is an error, never ignored.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from localaws.core.errors import ServiceError

Context = Mapping[str, Sequence[str]]  # condition keys in lower case


class Decision(Enum):
    ALLOWED = "allowed"
    DENIED = "explicitly denied"
    NOT_MENTIONED = "not mentioned"


@dataclass(frozen=True)
class Request:
    action: str
    resource: str
    context: Context = field(default_factory=dict)
    # How the caller may be named in a Principal element; empty for identity policies.
    principals: frozenset[str] = frozenset()


Matcher = Callable[[str], bool]


@dataclass(frozen=True)
class Statement:
    allows: bool
    matches_action: Matcher
    matches_resource: Matcher
    matches_principal: Callable[[frozenset[str]], bool] | None
    conditions: tuple[Callable[[Context], bool], ...]

    def applies(self, request: Request) -> bool:
        if self.matches_principal is not None and not self.matches_principal(request.principals):
            return False
        return (
            self.matches_action(request.action.lower())
            and self.matches_resource(request.resource)
            and all(condition(request.context) for condition in self.conditions)
        )


def decide(documents: Iterable[str], request: Request) -> Decision:
    decision = Decision.NOT_MENTIONED
    for document in documents:
        for statement in compile_policy(document):
            if statement.applies(request):
                if not statement.allows:
                    return Decision.DENIED
                decision = Decision.ALLOWED
    return decision


@lru_cache(maxsize=1024)
def compile_policy(document: str) -> tuple[Statement, ...]:
    return tuple(_statement(statement) for statement in _list(json.loads(document).get("Statement", [])))


def _statement(statement: dict[str, Any]) -> Statement:
    conditions = statement.get("Condition", {})
    return Statement(
        allows=statement["Effect"] == "Allow",
        matches_action=_element(statement, "Action", ignore_case=True),
        matches_resource=_element(statement, "Resource", ignore_case=False),
        matches_principal=_principal(statement),
        conditions=tuple(
            _condition(operator, key, [_text(value) for value in _list(values)])
            for operator, keys in conditions.items()
            for key, values in keys.items()
        ),
    )


def _element(statement: dict[str, Any], name: str, *, ignore_case: bool) -> Matcher:
    """Action or NotAction, Resource or NotResource; a trust policy has no Resource at all."""
    if f"Not{name}" in statement:
        excluded = _wildcards(_list(statement[f"Not{name}"]), ignore_case)
        return lambda value: not excluded(value)
    return _wildcards(_list(statement.get(name, "*")), ignore_case)


def _wildcards(patterns: Sequence[str], ignore_case: bool) -> Matcher:
    expression = re.compile(
        "|".join(_expression(pattern.lower() if ignore_case else pattern) for pattern in patterns), re.DOTALL
    )
    return lambda value: expression.fullmatch(value) is not None


def _expression(pattern: str) -> str:
    if "${" in pattern:
        raise ServiceError(
            "MalformedPolicyDocument",
            f"The local AWS does not support the policy variable in {pattern!r}.",
            501,
        )
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def _principal(statement: dict[str, Any]) -> Callable[[frozenset[str]], bool] | None:
    if "NotPrincipal" in statement:
        named = _named_principals(statement["NotPrincipal"])
        return lambda principals: not (principals & named)
    if "Principal" not in statement:
        return None
    named = _named_principals(statement["Principal"])
    return lambda principals: "*" in named or bool(principals & named)


def _named_principals(principal: Any) -> frozenset[str]:
    if principal == "*":
        return frozenset({"*"})
    return frozenset(value for values in principal.values() for value in _list(values))


def _condition(operator: str, key: str, expected: list[str]) -> Callable[[Context], bool]:
    name = key.lower()
    if operator == "Null":
        absent = expected[0].lower() == "true"
        return lambda context: (name not in context) == absent
    base = operator.removesuffix("IfExists")
    quantifier, _, base = base.rpartition(":")
    test, negated = _operator(base)

    def one(value: str) -> bool:
        return any(test(value, wanted) for wanted in expected) != negated

    def condition(context: Context) -> bool:
        values = context.get(name)
        if values is None:
            return (
                operator.endswith("IfExists") or quantifier == "ForAllValues" or (negated and not quantifier)
            )
        if quantifier == "ForAllValues":
            return all(one(value) for value in values)
        return any(one(value) for value in values)

    return condition


def _operator(name: str) -> tuple[Callable[[str, str], bool], bool]:
    if name not in OPERATORS:
        raise ServiceError(
            "MalformedPolicyDocument", f"The local AWS does not support the condition operator {name!r}.", 501
        )
    return OPERATORS[name]


def _like(value: str, pattern: str) -> bool:
    return re.fullmatch(_expression(pattern), value, re.DOTALL) is not None


def _equals(value: str, wanted: str) -> bool:
    _expression(wanted)  # refuses policy variables
    return value == wanted


def _moment(text: str) -> float:
    return float(text) if text.replace(".", "").isdigit() else datetime.fromisoformat(text).timestamp()


def _in_network(value: str, network: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)


OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (lambda a, b: a.lower() == b.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda a, b: a.lower() == b.lower(), True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_like, False),
    "ArnNotEquals": (_like, True),
    "ArnLike": (_like, False),
    "ArnNotLike": (_like, True),
    "Bool": (lambda a, b: a.lower() == b.lower(), False),
    "NumericEquals": (lambda a, b: float(a) == float(b), False),
    "NumericNotEquals": (lambda a, b: float(a) == float(b), True),
    "NumericLessThan": (lambda a, b: float(a) < float(b), False),
    "NumericLessThanEquals": (lambda a, b: float(a) <= float(b), False),
    "NumericGreaterThan": (lambda a, b: float(a) > float(b), False),
    "NumericGreaterThanEquals": (lambda a, b: float(a) >= float(b), False),
    "DateLessThan": (lambda a, b: _moment(a) < _moment(b), False),
    "DateGreaterThan": (lambda a, b: _moment(a) > _moment(b), False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
