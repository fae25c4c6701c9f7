"""The settings of the factory with their defaults, unchecked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTEXT_KEY = "factory"
Stage = Literal["dev", "prod"]
Encryption = Literal["aws", "customer"]
NetworkChoice = Literal["none", "own", "existing"]
Mlflow = Literal["app", "tracking-server", "fargate"]
MlflowServerSize = Literal["Small", "Medium", "Large"]
Source = Literal["codecommit", "github", "gitlab", "bitbucket"]
EndpointMode = Literal["serverless", "realtime"]
Rollout = Literal["canary", "linear", "all-at-once"]


class SettingError(ValueError):
    """A user's mistake in the settings; the message is one sentence that needs no stack trace."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        super().__init__(f"Setting {CONTEXT_KEY}.{setting} is {value!r}, allowed is {allowed}.")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each is checked by its own rule and then in combination with others."""

    name: str = "model-factory"
    stage: Stage = "dev"
    source: Source = "codecommit"
    repository: str = ""
    branch: str = "main"
    connection_arn: str = ""
    trigger_on_push: bool = True
    trigger_paths: tuple[str, ...] = ()
    trigger_excluded_paths: tuple[str, ...] = ()
    trigger_schedule: str = ""
    trigger_on_new_data: bool = False
    new_data_quiet_seconds: int = 300
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
    serverless_memory_mb: int = 2048
    serverless_max_concurrency: int = 5
    endpoint_mode: EndpointMode = "serverless"
    staging_endpoint_mode: EndpointMode = "serverless"
    endpoint_instance_type: str = "ml.m5.large"
    endpoint_instance_count: int = 2
    endpoint_max_instance_count: int = 0
    endpoint_invocations_per_instance: int = 1000
    endpoint_scale_in_cooldown_seconds: int = 300
    endpoint_scale_out_cooldown_seconds: int = 60
    data_capture_percent: int = 0
    rollout: Rollout = "canary"
    rollout_step_percent: int = 10
    rollout_bake_seconds: int = 300
    latency_alarm_ms: int = 5000
    log_retention_days: int = 30
    batch_retention_days: int = 90
    captured_retention_days: int = 90
    monitoring_retention_days: int = 365
    runs_retention_days: int = 90
    encryption: Encryption = "aws"
    network: NetworkChoice = "none"
    vpc_id: str = ""
    private_subnet_ids: tuple[str, ...] = ()
    availability_zones: tuple[str, ...] = ()
    mlflow: Mlflow = "app"
    mlflow_server_size: MlflowServerSize = "Small"
    mlflow_image: str = "ghcr.io/mlflow/mlflow:v3.10.1-full"
    drift_monitoring: bool = False
    drift_window_minutes: int = 60
    drift_minimum_rows: int = 200
    drift_threshold_percent: int = 20
    monitoring: bool = True
    notification_email: str = ""
    monthly_budget_usd: int = 0
    permissions_boundary: str = ""
    pushing_roles: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
