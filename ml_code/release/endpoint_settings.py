"""The compute of an endpoint and the policy of its updates: the stack's settings in SageMaker's words."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from ml_code.contracts import VARIANT_NAME, Variable

# For new instances to start, besides the waiting in the deployment's settings.
STARTUP_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Serverless:
    """Scales to zero. SageMaker updates it all at once, and rolls nothing back by itself."""

    memory_mb: int
    max_concurrency: int

    max_wait_seconds = STARTUP_SECONDS
    alarms = ()

    def config(self, model_name: str, _: int | None) -> dict[str, Any]:
        variant = {"MemorySizeInMB": self.memory_mb, "MaxConcurrency": self.max_concurrency}
        return {"ProductionVariants": [{**_variant(model_name), "ServerlessConfig": variant}]}

    def network(self) -> dict[str, Any]:
        return {}  # SageMaker has none for it

    def update(self, *, is_guarded: bool) -> dict[str, Any]:  # noqa: ARG002 - as of Realtime
        return {}


@dataclass(frozen=True, kw_only=True)
class Realtime:
    """Instances that always run, updated blue/green. `max_instance_count` above `instance_count` scales."""

    instance_type: str
    instance_count: int
    max_instance_count: int
    invocations_per_instance: int
    scale_in_cooldown_seconds: int
    scale_out_cooldown_seconds: int
    data_capture_percent: int
    data_capture_uri: str
    rollout: Literal["canary", "linear", "all-at-once"]
    rollout_step_percent: int
    rollout_bake_seconds: int
    alarms: tuple[str, ...]
    kms_key: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()

    @property
    def is_scaled(self) -> bool:
        return self.max_instance_count > self.instance_count

    @property
    def bakes(self) -> int:
        """The number of times that an update waits and looks at the alarms, the last time with all traffic shifted."""
        return {
            "canary": 2,
            "linear": -(-100 // self.rollout_step_percent),
            "all-at-once": 1,
        }[self.rollout]

    @property
    def timeout_seconds(self) -> int:
        return self.bakes * self.rollout_bake_seconds + STARTUP_SECONDS

    @property
    def max_wait_seconds(self) -> int:
        return self.timeout_seconds + STARTUP_SECONDS  # a rollback takes its time, too

    def config(self, model_name: str, running: int | None) -> dict[str, Any]:
        """A variant's configuration; an update keeps the `running` instances that scaling added."""
        count = self.instance_count
        if self.is_scaled and running is not None:
            count = min(max(count, running), self.max_instance_count)
        variant = {
            **_variant(model_name),
            "InstanceType": self.instance_type,
            "InitialInstanceCount": count,
            "InitialVariantWeight": 1.0,
        }
        config: dict[str, Any] = {"ProductionVariants": [variant]}
        if self.kms_key:
            config["KmsKeyId"] = self.kms_key
        if self.data_capture_percent:
            config["DataCaptureConfig"] = self._data_capture()
        return config

    def network(self) -> dict[str, Any]:
        """The network of the model. Its code calls nobody: SageMaker itself brings the archive and takes the captured records."""
        isolated: dict[str, Any] = {"EnableNetworkIsolation": True}
        if not self.subnets:
            return isolated
        groups = list(self.security_groups)
        return {**isolated, "VpcConfig": {"Subnets": list(self.subnets), "SecurityGroupIds": groups}}

    def update(self, *, is_guarded: bool) -> dict[str, Any]:
        """The policy of an update, always explicit: SageMaker forgets that of the last one.

        Not guarded is what puts a good version back: it must not wait, nor stop at an alarm that the bad one
        set off.
        """
        wait = self.rollout_bake_seconds if is_guarded else 0
        routing = self._routing() if is_guarded else {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        config: dict[str, Any] = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": wait,
                "MaximumExecutionTimeoutInSeconds": self.timeout_seconds,
            }
        }
        if is_guarded and self.alarms:
            config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in self.alarms]}
        return {"DeploymentConfig": config}

    def _routing(self) -> dict[str, Any]:
        size = {"Type": "CAPACITY_PERCENT", "Value": self.rollout_step_percent}
        wait = self.rollout_bake_seconds
        return {
            "canary": {"Type": "CANARY", "WaitIntervalInSeconds": wait, "CanarySize": size},
            "linear": {"Type": "LINEAR", "WaitIntervalInSeconds": wait, "LinearStepSize": size},
            "all-at-once": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        }[self.rollout]

    def _data_capture(self) -> dict[str, Any]:
        return {
            "EnableCapture": True,
            "InitialSamplingPercentage": self.data_capture_percent,
            "DestinationS3Uri": self.data_capture_uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json"],
            },
            **({"KmsKeyId": self.kms_key} if self.kms_key else {}),
        }


EndpointSettings = Serverless | Realtime


def _variant(model_name: str) -> dict[str, Any]:
    return {"VariantName": VARIANT_NAME, "ModelName": model_name}


def read_endpoint_settings(text: str) -> EndpointSettings:
    """ENDPOINT_SETTINGS, as the stack writes it."""
    kinds: dict[str, type[EndpointSettings]] = {"serverless": Serverless, "realtime": Realtime}
    try:
        values: dict[str, Any] = json.loads(text)
        kind: Any = kinds[values.pop("mode")]
        settings = {key: tuple(item) if isinstance(item, list) else item for key, item in values.items()}
        endpoint_settings: EndpointSettings = kind(**settings)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{Variable.ENDPOINT_SETTINGS} must be what the stack writes into the build project, got {text!r} "
            f"({error!r}): deploy the stack of the same commit"
        ) from error
    return endpoint_settings
