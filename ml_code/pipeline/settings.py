"""What the definitions of the SageMaker pipelines take from the stack."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PipelineSettings:
    """What the definition takes from the stack; the rest is model.yaml's."""

    pipeline_name: str
    region: str
    role_arn: str
    artifact_bucket: str
    mlflow_tracking_uri: str
    image_uri: str
    preprocess_instance_type: str = "ml.t3.large"
    preprocess_instance_count: int = 1
    preprocess_max_runtime_seconds: int = 3600
    training_instance_type: str = "ml.m5.large"
    training_instance_count: int = 1
    training_max_runtime_seconds: int = 3600
    training_spot: bool = True
    training_max_wait_seconds: int = 7200
    training_keep_alive_seconds: int = 0
    evaluate_instance_type: str = "ml.t3.large"
    evaluate_instance_count: int = 1
    evaluate_max_runtime_seconds: int = 3600
    step_cache_days: int = 0
    kms_key_arn: str | None = None
    # Of every job: what it costs is found by them.
    tags: Mapping[str, str] = field(default_factory=dict)
    # Of the VPC that jobs run in; both or none.
    subnet_ids: list[str] | None = None
    security_group_ids: list[str] | None = None

    def given(self) -> dict[str, Any]:
        """The settings as JSON takes them, without those that are off."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class MonitorSettings:
    """What the monitoring pipeline looks at, and what it demands of it."""

    endpoint_name: str
    captured_uri: str
    reports_uri: str
    minimum_rows: int
    threshold_percent: int
