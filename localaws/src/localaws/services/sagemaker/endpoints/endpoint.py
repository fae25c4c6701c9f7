"""One endpoint: which variant answers a request, and what DescribeEndpoint says."""

import random
import threading
from dataclasses import dataclass, field
from typing import Any

from localaws.core.errors import Json
from localaws.core.listing import now
from localaws.services.sagemaker.endpoints import data_capture
from localaws.services.sagemaker.endpoints.variant import Variant


@dataclass(kw_only=True)
class Pending:
    """A fleet that is being brought in; `share` of the requests goes to it."""

    variant: Variant
    share: float = 0.0
    status: Json = field(default_factory=dict)
    started: Any = field(default_factory=now)


class Endpoint:
    """`description`, `variant` and `pending` change under `lock` only."""

    def __init__(self, name: str, arn: str, config_name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.variant: Variant | None = None  # what is in service; None until the first is
        self.pending: Pending | None = None
        self.deployment_config: Json | None = None  # for RetainDeploymentConfig
        self.description: Json = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config_name,
            "EndpointStatus": "Creating",
            "CreationTime": now(),
            "LastModifiedTime": now(),
        }

    @property
    def status(self) -> str:
        value: str = self.description["EndpointStatus"]
        return value

    def pick(self) -> Variant | None:
        """The variant that answers the next request; None while nothing is in service."""
        variant, pending = self.variant, self.pending
        if variant is not None and pending is not None and random.random() < pending.share:  # noqa: S311
            return pending.variant
        return variant

    def describe(self) -> Json:
        with self.lock:
            described = dict(self.description)
            pending = self.pending
            if self.deployment_config is not None:
                described["LastDeploymentConfig"] = self.deployment_config
            if self.variant is not None:
                described["ProductionVariants"] = [_summary(self.variant)]
                if self.variant.data_capture_config is not None:
                    described["DataCaptureConfig"] = data_capture.summary(self.variant.data_capture_config)
                if pending is not None:
                    described["PendingDeploymentSummary"] = {
                        "EndpointConfigName": pending.variant.config_name,
                        "StartTime": pending.started,
                        "ProductionVariants": [
                            _summary(pending.variant) | {"VariantStatus": [dict(pending.status)]}
                        ],
                    }
        return described


def _summary(variant: Variant) -> Json:
    weight = variant.description.get("InitialVariantWeight", 1.0)
    image = {
        "SpecifiedImage": variant.image,
        "ResolvedImage": variant.image,
        "ResolutionTime": variant.launched,
    }
    summary: Json = {
        "VariantName": variant.name,
        "DeployedImages": [image],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    if variant.serverless:
        return summary | {"CurrentInstanceCount": 0, "CurrentServerlessConfig": variant.serverless}
    count = variant.description["InitialInstanceCount"]
    return summary | {"CurrentInstanceCount": count, "DesiredInstanceCount": count}
