"""The endpoints of staging and production."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from ml_code.pipeline.compute import InstanceCount, InstanceType, Off, Section, Switch, misfit
from stacks.settings.types import CooldownSeconds, MemoryMb, by_type

LEAST_GUARDED_INSTANCES = 2
# SageMaker's eight hours, less the time that instances take to start.
LONGEST_ROLLOUT_SECONDS = 8 * 3600 - 1800
LatencyAlarmMs = Annotated[
    int,
    Field(
        ge=1,
        le=60_000,
        description="the alarm goes off when the slowest 1 % of answers take longer for three minutes",
    ),
]


class ServerlessEndpoint(Section):
    """An endpoint that scales to zero."""

    type: Literal["serverless"] = Field(
        default="serverless", description="scales to zero, at no cost between requests"
    )
    memory_mb: MemoryMb = Field(default=2048, description="memory of the endpoint")
    max_concurrency: int = Field(
        default=5, ge=1, le=200, description="requests that the endpoint handles at once"
    )


class StagingInstance(Section):
    """One instance, updated at once: who is served in staging can wait."""

    type: Literal["realtime"] = Field(description="one instance that always runs, updated at once")
    instance_type: InstanceType = Field(default="ml.m5.large", description="its instance type")


class ServerlessProduction(ServerlessEndpoint):
    """Production on an endpoint that scales to zero."""

    latency_alarm_ms: LatencyAlarmMs = 5000


class Autoscaling(Section):
    """Target tracking of the invocations per instance."""

    max_instance_count: int = Field(ge=2, le=100, description="how far it scales out, above `instance_count`")
    invocations_per_instance: int = Field(
        default=1000, ge=1, le=1_000_000, description="invocations a minute that scaling aims at"
    )
    scale_in_cooldown_seconds: CooldownSeconds = Field(default=300, description="pause after scaling in")
    scale_out_cooldown_seconds: CooldownSeconds = Field(default=60, description="pause after scaling out")


# Shorter, an update would be over before the alarm on latency has its datapoints.
BakeSeconds = Annotated[int, Field(ge=240, le=3600)]
_BAKE = "how long the alarms are watched after each shift"


class Canary(Section):
    """A share of the traffic shifts first, then the rest."""

    type: Literal["canary"] = Field(default="canary", description="a share of the traffic, then the rest")
    step_percent: int = Field(default=10, ge=1, le=50, description="the first share")
    bake_seconds: BakeSeconds = Field(default=300, description=_BAKE)


class Linear(Section):
    """The traffic shifts in equal steps."""

    type: Literal["linear"] = Field(description="step by step")
    step_percent: int = Field(default=10, ge=10, le=50, description="the share of each step")
    bake_seconds: BakeSeconds = Field(default=300, description=_BAKE)

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        steps = -(-100 // self.step_percent)
        if self.bake_seconds * steps > LONGEST_ROLLOUT_SECONDS:
            allowed = f"at most {LONGEST_ROLLOUT_SECONDS // steps} with steps of {self.step_percent} percent"
            raise misfit(
                "bake_seconds", self.bake_seconds, f"{allowed}: SageMaker ends an update after 8 hours"
            )
        return self


class AllAtOnce(Section):
    """All of the traffic shifts at once."""

    type: Literal["all-at-once"] = Field(description="all of the traffic")
    bake_seconds: BakeSeconds = Field(
        default=300, description="how long the alarms are watched after the shift"
    )


class Drift(Section):
    """Compares the requests to production with the training data of its model."""

    window_minutes: int = Field(
        default=60,
        ge=1,
        le=1440,
        description="length of one comparison: a job of two or three minutes, only when something was captured",
    )
    minimum_rows: int = Field(
        default=200, ge=50, le=10_000, description="fewer rows in a window are not compared"
    )
    threshold_percent: int = Field(
        default=20,
        ge=1,
        le=100,
        description="a feature has drifted when its Kolmogorov-Smirnov statistic, in percent, is at least this and the "
        "difference is statistically significant",
    )


class RealtimeProduction(Section):
    """Production on instances that always run and are updated behind guardrails."""

    type: Literal["realtime"] = Field(
        description="instances that always run and are updated behind guardrails "
        "([operations](operations.md#updates-of-production)). An endpoint that exists must be deleted to change its type"
    )
    instance_type: InstanceType = Field(default="ml.m5.large", description="instance type of the endpoint")
    instance_count: InstanceCount = Field(
        default=2,
        description="number of instances. With two or more the endpoint survives the loss of a zone, and a rollout moves at "
        "most half of them in its first step; 1 is allowed with rollout `all-at-once` only",
    )
    autoscaling: Annotated[Autoscaling | Off, Switch] = Field(
        default=False, description="scales with the invocations per instance"
    )
    rollout: Annotated[
        Annotated[Canary, Tag("canary")]
        | Annotated[Linear, Tag("linear")]
        | Annotated[AllAtOnce, Tag("all-at-once")],
        by_type("canary"),
    ] = Field(default=Canary(), description="how an update shifts the traffic")
    data_capture_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="share of requests and answers that go to `captured/` of the artifact bucket",
    )
    drift: Annotated[Drift | Off, Switch] = Field(
        default=False,
        description="with `data_capture_percent` above 0: [compares](operations.md#drift) what production is asked with "
        "what its model was trained on, and retrains when they differ in two windows out of five",
    )
    latency_alarm_ms: LatencyAlarmMs = 5000

    @model_validator(mode="after")
    def _fits(self) -> Self:
        count = self.instance_count
        if self.autoscaling and self.autoscaling.max_instance_count <= count:
            most = self.autoscaling.max_instance_count
            raise misfit("autoscaling.max_instance_count", most, f"more than instance_count, {count}")
        if self.rollout.type != "all-at-once" and count < LEAST_GUARDED_INSTANCES:
            allowed = f"at least {LEAST_GUARDED_INSTANCES} while rollout.type is {self.rollout.type}"
            reason = "SageMaker shifts to half of the instances at most before the rest"
            raise misfit("instance_count", count, f"{allowed}: {reason}")
        if self.drift and not self.data_capture_percent:
            raise misfit(
                "data_capture_percent", 0, "above 0 while drift is on, which compares what is captured"
            )
        return self
