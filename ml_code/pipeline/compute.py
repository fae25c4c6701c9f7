"""The instances of a training's jobs: one definition for the settings of the stack and for those of a build."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

# What each value may be, in words: editors show it, and so does the refusal of another value.
ALLOWED = "patternErrorMessage"


class Section(BaseModel):
    """Settings that belong together. A key that is not defined and a value of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def misfit(setting: str, value: object, allowed: str) -> PydanticCustomError:
    """Return the refusal of a setting that does not fit another one of its section; "" is the section itself."""
    return PydanticCustomError(
        "misfit", "{allowed}", {"setting": setting, "value": value, "allowed": allowed}
    )


def _on(value: Any) -> Any:
    return {} if value is True else value


# In the place of a section: `false` switches it off, `true` is the section's defaults.
Switch = BeforeValidator(_on)
Off = Literal[False]

# The scikit-learn image is built for x86_64: a Graviton family has a "g" after its generation's digit.
InstanceType = Annotated[
    str,
    Field(
        pattern=r"^ml\.[a-z]+\d+([a-fh-z-][a-z0-9-]*)?\.(\d*xlarge|large|medium)$",
        json_schema_extra={ALLOWED: "an x86_64 instance type such as ml.m5.large (no Graviton)"},
    ),
]
InstanceCount = Annotated[int, Field(ge=1, le=20)]
RuntimeSeconds = Annotated[int, Field(ge=60, le=432_000)]
VolumeGb = Annotated[int, Field(ge=1, le=16_384)]
DEFAULT_VOLUME_GB = 30


class Processing(Section):
    """A processing job."""

    instance_type: InstanceType = Field(default="ml.t3.large", description="instance type of the job")
    max_runtime_seconds: RuntimeSeconds = Field(default=3600, description="time limit of the job")
    volume_gb: VolumeGb = Field(
        default=DEFAULT_VOLUME_GB,
        description="volume of each instance. A type with a local disk, such as ml.m5d.large, has that one instead, and may not "
        "be asked for more",
    )


class Preprocess(Processing):
    """The job that checks and splits the data."""

    instance_count: InstanceCount = Field(
        default=1,
        description="instances of the job. They share its work: each gets some of the raw files, so there should be as many",
    )


class Spot(Section):
    """Spot instances, for which alone a new account has a quota."""

    max_wait_seconds: RuntimeSeconds = Field(
        default=7200, description="runtime and waiting for capacity together, at least `max_runtime_seconds`"
    )


class TrainingCompute(Section):
    """The training jobs of the tuning."""

    instance_type: InstanceType = Field(
        default="ml.m5.large", description="instance type of each training job"
    )
    instance_count: InstanceCount = Field(
        default=1,
        description="instances of each training job. An estimator of xgboost trains on all of them, each with its share "
        "of the rows; with any other, more than 1 is refused",
    )
    max_runtime_seconds: RuntimeSeconds = Field(default=3600, description="time limit of each training job")
    volume_gb: VolumeGb = Field(
        default=DEFAULT_VOLUME_GB, description="volume of each instance, as that of preprocess"
    )
    spot: Annotated[Spot | Off, Switch] = Field(
        default=Spot(),
        description="spot instances, with checkpoints under `runs/<execution>/checkpoints/`: a job that is "
        "interrupted after its fit does not fit again",
    )
    keep_alive_seconds: int = Field(
        default=0,
        ge=0,
        le=3600,
        description="a warm pool of the training instances, not with spot. SageMaker's tuning jobs take the value "
        "and, as was seen in 2022, [do not keep a pool]"
        "(https://github.com/aws-controllers-k8s/sagemaker-controller/pull/176): it counts for training jobs of yours",
    )

    @model_validator(mode="after")
    def _spot_fits(self) -> "TrainingCompute":
        if not self.spot:
            return self
        if self.spot.max_wait_seconds < self.max_runtime_seconds:
            allowed = f"no less than max_runtime_seconds, {self.max_runtime_seconds}"
            raise misfit("spot.max_wait_seconds", self.spot.max_wait_seconds, allowed)
        if self.keep_alive_seconds:
            allowed = "0 unless spot is false: spot instances are not kept"
            raise misfit("keep_alive_seconds", self.keep_alive_seconds, allowed)
        return self


class Compute(Section):
    """The instances of a training's jobs."""

    preprocess: Preprocess = Field(
        default=Preprocess(), description="the job that checks and splits the data"
    )
    training: TrainingCompute = Field(
        default=TrainingCompute(), description="the training jobs of the tuning"
    )
    evaluate: Processing = Field(
        default=Processing(),
        description="the jobs that evaluate and register, and that compare live inputs, on one instance each",
    )
    cache_days: int = Field(
        default=0,
        ge=0,
        le=365,
        description="for how many days the result of preprocess is used again for the same commit and data; 0: never",
    )
