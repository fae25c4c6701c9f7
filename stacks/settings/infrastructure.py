"""The network, MLflow, monitoring, and how long things are kept."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ml_code.pipeline.compute import Section, misfit
from stacks.settings.types import (
    Days,
    Email,
    Image,
    LogDays,
    SubnetIds,
    VpcId,
    Zones,
    days_in_words,
    none_or_at_least,
)


class NoNetwork(Section):
    """Jobs and builds run in AWS's own networks."""

    type: Literal["none"] = Field(default="none", description="jobs and builds in AWS's own networks")


class OwnNetwork(Section):
    """Private subnets of a VPC that the stack makes."""

    type: Literal["own"] = Field(
        description="jobs and builds in the private subnets of a VPC of the stack: two zones, one NAT gateway, endpoints "
        "for S3, Logs, SageMaker"
    )


class ExistingNetwork(Section):
    """Private subnets of your VPC, described here because a synthesis asks AWS nothing."""

    type: Literal["existing"] = Field(
        description="jobs and builds in your VPC, which brings its routes (builds need the package index) and endpoints. "
        "Production on instances is in it, too; serverless endpoints stay outside: SageMaker supports no VPC for them, "
        "IAM decides who may invoke them"
    )
    vpc_id: VpcId = Field(description="your VPC")
    private_subnet_ids: SubnetIds = Field(description="its private subnets")
    availability_zones: Zones = Field(description="the zone of each private subnet, in their order")

    @model_validator(mode="after")
    def _a_zone_each(self) -> Self:
        if len(self.availability_zones) != len(self.private_subnet_ids):
            allowed = f"one zone for each of the {len(self.private_subnet_ids)} private_subnet_ids"
            raise misfit("availability_zones", self.availability_zones, allowed)
        return self


class MlflowApp(Section):
    """SageMaker's serverless MLflow App."""

    type: Literal["app"] = Field(default="app", description="SageMaker's serverless MLflow App")


class MlflowTrackingServer(Section):
    """A managed MLflow tracking server of SageMaker's."""

    type: Literal["tracking-server"] = Field(
        description="a managed tracking server, which bills by the hour and takes about 25 minutes to be made"
    )
    size: Literal["Small", "Medium", "Large"] = Field(
        default="Small", description="size of the tracking server"
    )


class MlflowOnFargate(Section):
    """MLflow in a container on ECS Fargate, with PostgreSQL on RDS."""

    type: Literal["fargate"] = Field(
        description="a container of your own on ECS Fargate with PostgreSQL on RDS, in the private subnets (needs a "
        "`network`), reached by HTTP from jobs and builds only"
    )
    image: Image = Field(
        default="ghcr.io/mlflow/mlflow:v3.10.1-full",
        description="its image, which needs `psycopg2` and `boto3`",
    )


class Monitoring(Section):
    """Dashboard, alarms and a topic for messages."""

    notification_email: Email = Field(
        default="",
        description="gets the messages: what failed, why, where to look; what waits for approval",
    )
    monthly_budget_usd: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="an AWS Budget that warns at 80 % and when it will be exceeded, 0 for none; counts only once the tag "
        "`model-factory` is [activated for billing](operations.md#costs)",
    )


class Retention(Section):
    """Days until what holds rows of people, or is made of them, expires."""

    log_days: LogDays = Field(
        default=30, description="days until entries of the factory's own log groups expire"
    )
    batch_days: Annotated[Days, none_or_at_least(1), days_in_words(1)] = Field(
        default=90,
        description="scored files and their results below `batch/` of the data bucket",
    )
    # The comparison of a window may come a day after its requests.
    captured_days: Annotated[Days, none_or_at_least(2), days_in_words(2)] = Field(
        default=90,
        description="captured requests and answers, below `captured/`",
    )
    monitoring_days: Annotated[Days, none_or_at_least(7), days_in_words(7)] = Field(
        default=365,
        description="reports on drift, below `monitoring/`",
    )
    # An execution of four jobs may take twenty days.
    runs_days: Annotated[Days, none_or_at_least(30), days_in_words(30)] = Field(
        default=90,
        description="copies of rows, checkpoints and results of training executions, below `runs/`; what a version needs "
        "is in MLflow and below `serving/`",
    )
