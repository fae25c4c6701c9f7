"""SageMaker's quotas of a new account; what exceeds one is refused as AWS refuses it.

A quota counts what runs when something is created. What has no row here is 0: of the instance types, AWS's default values
(`get-aws-default-service-quota`, read by a boto3 paginator over all quotas in July 2026 and published in a course's notes)
are above 0 for processing on ml.t3 and for spot training only.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from localaws.core.errors import ServiceError

PROCESSING, TRAINING, SPOT_TRAINING = "processing job", "training job", "spot training job"
TRANSFORM, ENDPOINT = "transform job", "endpoint"
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"


@dataclass(frozen=True)
class Quota:
    code: str
    name: str
    default: int
    source: str
    """The source of the default. The codes are AWS's, from public listings of an account's quotas."""


_DEFAULTS_2026 = "get-aws-default-service-quota, us-east-1, course notes CS401R of 31 July 2026"
_ZERO_ISSUES = "refusals of CreateTrainingJob, CreateProcessingJob and CreateEndpoint in public issues"
QUOTAS = (
    Quota("L-0CE343FE", "ml.t3.medium for processing job usage", 4, _DEFAULTS_2026),
    Quota("L-C076FA77", "ml.t3.large for processing job usage", 4, _DEFAULTS_2026),
    Quota("L-8541302D", "ml.m5.large for processing job usage", 0, _DEFAULTS_2026),
    Quota("L-0307F515", "ml.m5.xlarge for processing job usage", 0, _DEFAULTS_2026),
    Quota("L-611FA074", "ml.m5.large for training job usage", 0, _DEFAULTS_2026),
    Quota("L-CCE2AFA6", "ml.m5.xlarge for training job usage", 0, _DEFAULTS_2026),
    Quota("L-29688C85", "ml.m5.large for spot training job usage", 4, _DEFAULTS_2026),
    Quota("L-614B09FD", "ml.m5.large for endpoint usage", 0, "sagemaker-custom-project-templates#51"),
    Quota("L-29C181D7", "ml.t2.medium for endpoint usage", 2, "two public reports of fresh accounts, 2026"),
    Quota("L-236AE59F", "ml.m5.large for transform job usage", 0, _ZERO_ISSUES),
    Quota("L-96300102", SERVERLESS_CONCURRENCY, 10, "a public report of an account's quota, 2026"),
)
USAGES = tuple(f"for {usage} usage" for usage in (PROCESSING, TRAINING, SPOT_TRAINING, TRANSFORM, ENDPOINT))
# The name of a quota, and how many instances (or concurrent requests) count towards it.
Use = tuple[str, int]


class Quotas:
    """The account's quotas, and the uses that count against them; each function of `counted` lists what runs now."""

    def __init__(self) -> None:
        self.counted: list[Callable[[], Iterable[Use]]] = []
        self._applied = {quota.name: quota.default for quota in QUOTAS}
        self._lock = threading.Lock()

    def applied(self, name: str) -> int:
        return self._applied.get(name, 0)

    def set_applied(self, name: str, value: int) -> None:
        with self._lock:
            self._applied[name] = value

    def require(self, use: Use) -> None:
        """Raise ResourceLimitExceeded when it does not fit beside what runs."""
        name, delta = use
        used = sum(count for source in self.counted for counted, count in source() if counted == name)
        if delta <= 0 or used + delta <= self.applied(name):
            return
        unit = "" if name == SERVERLESS_CONCURRENCY else " Instances"
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{name}' is {self.applied(name)}{unit}, with current utilization of "
            f"{used}{unit} and a request delta of {delta}{unit}. Please use AWS Service Quotas to request an increase "
            "for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for "
            "this quota.",
        )


def instances(instance_type: str, usage: str, count: int) -> Use:
    return f"{instance_type} for {usage} usage", count
