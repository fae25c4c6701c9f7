"""All settings of the factory.

One definition serves the synthesis, the reference in docs/settings.md and the JSON Schema for editors.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from ml_code.pipeline.compute import Compute, Off, Section, Switch, misfit
from stacks.settings.delivery import CodeCommit, Connected, Triggers
from stacks.settings.endpoints import (
    Drift,
    RealtimeProduction,
    ServerlessEndpoint,
    ServerlessProduction,
    StagingInstance,
)
from stacks.settings.infrastructure import (
    ExistingNetwork,
    MlflowApp,
    MlflowOnFargate,
    MlflowTrackingServer,
    Monitoring,
    NoNetwork,
    OwnNetwork,
    Retention,
)
from stacks.settings.types import (
    Boundary,
    FactoryName,
    RetiredModels,
    RoleNames,
    Tags,
    UnprefixedModel,
    by_type,
)


class FactoryConfig(Section):
    """All settings. Each is checked by itself, then with those of its section, then with those of others."""

    name: FactoryName = Field(
        default="model-factory",
        description="the name of the stack and of all that it makes; two factories in one account differ in it",
    )
    stage: Literal["dev", "prod"] = Field(
        default="dev",
        description="`prod` keeps data on destroy and protects the stack from termination; `dev` leaves nothing",
    )
    source: Annotated[
        Annotated[CodeCommit, Tag("codecommit")]
        | Annotated[Connected, Tag("github")]
        | Annotated[Connected, Tag("gitlab")]
        | Annotated[Connected, Tag("bitbucket")],
        by_type("codecommit"),
    ] = Field(default=CodeCommit(), description="where the code comes from")
    triggers: Triggers = Field(default=Triggers(), description="what starts a delivery")
    compute: Compute = Field(default=Compute(), description="what the jobs of a training run on")
    staging: Annotated[
        Annotated[ServerlessEndpoint, Tag("serverless")] | Annotated[StagingInstance, Tag("realtime")],
        by_type("serverless"),
    ] = Field(
        default=ServerlessEndpoint(), description="the endpoint that each version meets before its approval"
    )
    production: Annotated[
        Annotated[ServerlessProduction, Tag("serverless")] | Annotated[RealtimeProduction, Tag("realtime")],
        by_type("serverless"),
    ] = Field(default=ServerlessProduction(), description="the endpoint that callers use")
    network: Annotated[
        Annotated[NoNetwork, Tag("none")]
        | Annotated[OwnNetwork, Tag("own")]
        | Annotated[ExistingNetwork, Tag("existing")],
        by_type("none"),
    ] = Field(default=NoNetwork(), description="where jobs, builds and production on instances run")
    mlflow: Annotated[
        Annotated[MlflowApp, Tag("app")]
        | Annotated[MlflowTrackingServer, Tag("tracking-server")]
        | Annotated[MlflowOnFargate, Tag("fargate")],
        by_type("app"),
    ] = Field(default=MlflowApp(), description="what serves MLflow")
    monitoring: Annotated[Monitoring | Off, Switch] = Field(
        default=Monitoring(),
        description="dashboard, four or five alarms and a topic for messages: free up to three dashboards and ten alarms "
        "in an account, then about $3 and $0.40 a month ([operations](operations.md))",
    )
    retention: Retention = Field(default=Retention(), description="days until objects and logs expire")
    encryption: Literal["aws", "customer"] = Field(
        default="aws",
        description="`customer` makes one KMS key for buckets, job volumes and outputs, log groups and what CodePipeline "
        "hands on; `dev` schedules it for deletion on destroy (7 days). The database inside a managed MLflow and the "
        "repository stay under AWS's keys; instance types with local disks are refused",
    )
    permissions_boundary: Boundary = Field(
        default="",
        description="the boundary of every role; bootstrap with `--custom-permissions-boundary` to have it for CDK's own "
        "roles",
    )
    pushing_roles: RoleNames = Field(
        default=(),
        description="IAM roles of this account that push: the stack denies them `codepipeline:PutApprovalResult`, so "
        "nobody approves a push of their own; roles of IAM Identity Center take the statement in their permission set "
        "([security](security.md))",
    )
    max_parallel_trainings: int = Field(
        default=2,
        ge=1,
        le=20,
        description="with several models: how many of them train at once; the builds of the others wait",
    )
    retired_models: RetiredModels = Field(
        default=(),
        description="models without a folder whose production endpoints a deployment may remove; of a folder, "
        "`retire: true` in its model.yaml says so ([operations](operations.md#several-models))",
    )
    unprefixed_model: UnprefixedModel = Field(
        default="",
        description="for a factory that is older than several models: its first model, whose resources keep their names, "
        "without the model's name ([operations](operations.md#several-models))",
    )
    tags: Tags = Field(
        default={}, description="on everything that can have tags, jobs and endpoints included"
    )

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        self._check_paths()
        self._check_staging()
        self._check_mlflow()
        self._check_cache()
        self._check_local_disks()
        return self

    @property
    def drift(self) -> Drift | None:
        """The comparison of production's inputs, if production has one."""
        is_on = isinstance(self.production, RealtimeProduction) and self.production.drift
        return is_on or None

    @property
    def keeps_data_on_destroy(self) -> bool:
        return self.stage == "prod"

    def _check_paths(self) -> None:
        if self.source.type == "codecommit" and self.triggers.push:
            for setting in ("paths", "excluded_paths"):
                if value := getattr(self.triggers.push, setting):
                    raise misfit(f"triggers.push.{setting}", value, "nothing while source.type is codecommit")

    def _check_staging(self) -> None:
        if self.staging.type == "realtime" and self.production.type != "realtime":
            raise misfit("staging.type", "realtime", "serverless unless production.type is realtime")

    def _check_mlflow(self) -> None:
        if self.mlflow.type == "fargate" and self.network.type == "none":
            raise misfit(
                "mlflow.type", "fargate", "app or tracking-server unless network.type is own or existing"
            )

    def _check_cache(self) -> None:
        """A cached result of preprocess lies below runs/."""
        days, cached = self.retention.runs_days, self.compute.cache_days
        if 0 < days <= cached:
            raise misfit(
                "retention.runs_days", days, f"more than compute.cache_days, {cached}, or 0 for no limit"
            )

    def _check_local_disks(self) -> None:
        """SageMaker encrypts the local disks of an instance by their hardware, and refuses a key for them."""
        types = {
            "compute.preprocess": self.compute.preprocess.instance_type,
            "compute.training": self.compute.training.instance_type,
            "compute.evaluate": self.compute.evaluate.instance_type,
        }
        for name in ("staging", "production"):
            types[name] = getattr(getattr(self, name), "instance_type", "")
        for name, instance_type in types.items():
            if self.encryption == "customer" and _LOCAL_DISKS.match(instance_type):
                allowed = "with encryption customer a type without local disks (m5, c5, r5, …)"
                raise misfit(f"{name}.instance_type", instance_type, allowed)


# Families with local disks: a "d" among the letters after the generation, and most of the accelerated ones.
_LOCAL_DISKS = re.compile(r"ml\.([a-z]+\d[a-z]*d[a-z]*\.|g\d|trn\d|p[4-9])")
