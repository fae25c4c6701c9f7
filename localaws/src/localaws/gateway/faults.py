"""Faults on purpose: a share of the signed requests is answered with an error, to test the patience of callers."""

import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from moto.core.utils import get_service_model

from localaws.core.account import INTERNAL
from localaws.core.errors import ServiceError

FORM = "SERVICE:OPERATION:PROBABILITY:CODE[:after]"
_STATUS = {"InternalError": 500, "InternalFailure": 500, "ServiceUnavailable": 503, "SlowDown": 503}


@dataclass(frozen=True)
class Fault:
    """SERVICE and OPERATION are patterns; `after`: the operation is carried out, and its answer is lost."""

    service: str
    operation: str
    probability: float
    code: str
    is_late: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        fields = text.split(":")
        if len(fields) not in (4, 5) or not all(fields) or fields[4:] not in ([], ["after"]):
            raise _refusal(text, f"the form is {FORM}, such as sagemaker:Describe*:0.2:Throttling")
        service, operation, share, code = fields[:4]
        if not re.fullmatch(r"[01]|0?\.\d+|1\.0", share):
            raise _refusal(text, f"PROBABILITY is {share!r}, allowed are numbers from 0 to 1")
        return cls(service, operation, float(share), code, fields[4:] == ["after"])

    def __str__(self) -> str:
        return ":".join(
            [
                self.service,
                self.operation,
                f"{self.probability:g}",
                self.code,
                *(["after"] if self.is_late else []),
            ]
        )

    def hits(self, service: str, operation: str) -> bool:
        return fnmatchcase(service, self.service) and fnmatchcase(operation, self.operation)

    def error(self, service: str, protocol: str) -> ServiceError:
        code, status = self.code, _STATUS.get(self.code, 400)
        if code == "Throttling":
            code, status = _throttling(service, protocol)
        elif code == "InternalFailure" and service == "s3":
            code = "InternalError"
        return ServiceError(code, f"A fault on purpose: {self}", status)


def _refusal(text: str, reason: str) -> ServiceError:
    return ServiceError("ValidationException", f"The fault is {text!r}: {reason}.")


def _throttling(service: str, protocol: str) -> tuple[str, int]:
    """Code and status in the service's own words, which are in its model where it has some."""
    if service == "s3":
        return "SlowDown", 503
    if protocol == "ec2":
        return "RequestLimitExceeded", 503
    if service == "mlflow":
        return "TooManyRequestsException", 429  # of the statuses that its client asks again after
    if protocol == "query":
        return "Throttling", 400
    if protocol == "rest-json":
        names = [str(shape.name) for shape in get_service_model(service).error_shapes]
        known = ("TooManyRequestsException", "ThrottlingException")
        return next((name for name in known if name in names), "ThrottlingException"), 429
    return "ThrottlingException", 400


class Faults:
    """The present rules; the first that hits a request decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(0)  # noqa: S311 - chance that can be had again
        self.rules: tuple[Fault, ...] = ()

    def replace(self, rules: Sequence[str], seed: int) -> None:
        """Replace the rules, also by none; the same seed gives the same sequence of chances."""
        parsed = tuple(Fault.parse(rule) for rule in rules)
        with self._lock:
            self.rules, self._random = parsed, random.Random(seed)  # noqa: S311

    def draw(self, service: str, operation: str, user_agent: str) -> Fault | None:
        if not self.rules or INTERNAL in user_agent:
            return None
        with self._lock:
            hits = (rule for rule in self.rules if rule.hits(service, operation))
            return next((rule for rule in hits if self._random.random() < rule.probability), None)
