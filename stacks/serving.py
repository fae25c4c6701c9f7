import json
from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import ENDPOINT_STAGES, PRODUCTION, STAGING, Variable, serving_prefix
from stacks.context import ModelContext
from stacks.limits import serverless_limits
from stacks.logs import log_group
from stacks.permissions import (
    allow,
    arn,
    grant_container,
    grant_list,
    grant_pass_role,
    grant_read,
    grant_write_logs,
    of_factory,
    service_role,
)
from stacks.production_alarms import ProductionAlarms
from stacks.realtime import Realtime, grant_stop_scaling
from stacks.settings.endpoints import RealtimeProduction, ServerlessEndpoint, StagingInstance

# Production's keeps the id that the role of both stages had: what serves while the stack is updated has that role.
_ROLE_IDS = {STAGING: "StagingRole", PRODUCTION: "Role"}
_SAGEMAKER = "sagemaker.amazonaws.com"
# Why policies have patterns.
_DEPLOYMENTS = "One a deployment, named after its endpoint"


class Serving(Construct):
    """Roles, log groups and settings of endpoints, of each stage its own.

    Deployments make the endpoints: they have the model version. In staging it is a model that nobody has approved.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        artifact_bucket: s3.IBucket,
        image_uri: str,
        production_alarms: ProductionAlarms | None,
    ) -> None:
        super().__init__(scope, id)
        self._config = config = context.config
        self._names = names = context.names
        self._image_uri = image_uri
        self._roles = {
            stage: service_role(
                self, _ROLE_IDS[stage], _SAGEMAKER, f"What the containers of the endpoint in {stage} may do"
            )
            for stage in ENDPOINT_STAGES
        }
        for stage, role in self._roles.items():
            logs = log_group(
                self,
                f"Logs-{stage}",
                name=f"/aws/sagemaker/Endpoints/{names.endpoint(stage)}",
                retention_days=config.retention.log_days,
                key=context.key,
            )
            grant_list(role, "ListArtifacts", artifact_bucket)
            grant_read(role, "ReadModels", artifact_bucket, serving_prefix(stage, names.model))
            grant_write_logs(role, logs, finds_streams=True)
            grant_container(role, self, image_uri, "/aws/sagemaker/Endpoints")
        self._realtime = None
        staging, production = config.staging, config.production
        self._has_realtime_staging = isinstance(staging, StagingInstance)
        if production_alarms and isinstance(production, RealtimeProduction):
            self._realtime = Realtime(
                scope=self,
                endpoint_name=names.endpoint(PRODUCTION),
                context=context,
                artifact_bucket=artifact_bucket,
                production_alarms=production_alarms,
                production=production,
                staging=staging if isinstance(staging, StagingInstance) else None,
            )
            self._realtime.grant_host(self._roles[PRODUCTION])
            if self._has_realtime_staging:
                self._realtime.grant_host_staging(self._roles[STAGING])

    def role(self, stage: str) -> iam.Role:
        """The role of the stage's endpoint."""
        return self._roles[stage]

    def environment(self, stage: str) -> Mapping[str, str]:
        """Variables of the build that deploys to the stage."""
        return {
            Variable.FACTORY_NAME: self._names.factory,
            Variable.MODEL_NAME: self._names.model,
            Variable.RESOURCE_PREFIX: self._names.prefix,
            Variable.STAGE: stage,
            Variable.ENDPOINT_NAME: self._names.endpoint(stage),
            Variable.ENDPOINT_ROLE_ARN: self._roles[stage].role_arn,
            Variable.IMAGE_URI: self._image_uri,
            Variable.ENDPOINT_SETTINGS: Stack.of(self).to_json_string(self._endpoint_settings(stage)),
            Variable.TAGS: json.dumps(dict(self._config.tags)),
            Variable.APPROVAL: self._config.approval,
            Variable.OWNERS: json.dumps(list(self._config.owners)),
        }

    def _realtime_of(self, stage: str) -> Realtime | None:
        return self._realtime if stage == PRODUCTION or self._has_realtime_staging else None

    def _endpoint_settings(self, stage: str) -> Mapping[str, object]:
        """Staging is serverless by default: it waits for the next version at no cost."""
        if realtime := self._realtime_of(stage):
            return realtime.settings() if stage == PRODUCTION else realtime.staging_settings()
        serverless = self._serverless(stage)
        return {
            "mode": "serverless",
            "memory_mb": serverless.memory_mb,
            "max_concurrency": serverless.max_concurrency,
        }

    def _serverless(self, stage: str) -> ServerlessEndpoint:
        found = self._config.production if stage == PRODUCTION else self._config.staging
        assert isinstance(found, ServerlessEndpoint), "the other type has a Realtime"
        return found

    def grant_deploy(self, grantee: iam.IGrantable, stage: str) -> None:
        """Make, replace, invoke and remove the endpoint of one stage, and nothing of another stage's."""
        endpoint, config, model = self._arns(stage)
        realtime = self._realtime_of(stage)
        model_limits = realtime.model_limits() if realtime else None
        allow(grantee, "MakeModel", ["sagemaker:CreateModel"], [model], model_limits, reason=_DEPLOYMENTS)
        actions = ["sagemaker:DeleteModel", "sagemaker:DescribeModel"]
        allow(grantee, "DeployModel", actions, [model], reason=_DEPLOYMENTS)
        config_limits = (
            realtime.config_limits(stage) if realtime else serverless_limits(self._serverless(stage))
        )
        actions = ["sagemaker:CreateEndpointConfig"]
        allow(grantee, "MakeConfig", actions, [config], config_limits, reason=_DEPLOYMENTS)
        actions = ["sagemaker:DeleteEndpointConfig", "sagemaker:DescribeEndpointConfig"]
        allow(grantee, "DeployConfig", actions, [config], reason=_DEPLOYMENTS)
        # SageMaker checks these two against the endpoint and against its configuration.
        actions = ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"]
        allow(grantee, "DeployEndpoint", actions, [endpoint, config], reason=_DEPLOYMENTS)
        actions = ["sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"]
        allow(grantee, "UseEndpoint", actions, [endpoint])
        resources = [endpoint, config, model]
        allow(grantee, "TagDeployment", ["sagemaker:AddTags"], resources, reason=_DEPLOYMENTS)
        grant_pass_role(grantee, self._roles[stage], _SAGEMAKER)
        if self._realtime and stage == PRODUCTION:
            self._realtime.grant_update(grantee)
        elif self._realtime and self._has_realtime_staging:
            self._realtime.grant_update_staging(grantee, self._names.endpoint(stage))

    def grant_invoke(self, grantee: iam.IGrantable, stage: str) -> None:
        endpoint, _, _ = self._arns(stage)
        allow(grantee, f"Ask{stage.capitalize()}", ["sagemaker:InvokeEndpoint"], [endpoint])

    def grant_remove(self, grantee: iam.IGrantable) -> None:
        """Find and delete what deployments made, of every stage."""
        endpoints, configs, models = zip(*map(self._arns, ENDPOINT_STAGES), strict=True)
        actions = ["sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint"]
        allow(grantee, "RemoveEndpoints", actions, endpoints)
        if self._realtime:
            stages = ENDPOINT_STAGES if self._has_realtime_staging else (PRODUCTION,)
            grant_stop_scaling(grantee, self, *map(self._names.endpoint, stages))
        # One statement for both, and one to read tags: policies of a role have room for 10,240 characters.
        actions = ["sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel"]
        own = of_factory(self._names.factory)
        allow(grantee, "RemoveDeployments", actions, [*configs, *models], own, reason=_DEPLOYMENTS)
        resources = [*endpoints, *configs, *models]
        allow(grantee, "ReadTags", ["sagemaker:ListTags"], resources, reason=_DEPLOYMENTS)
        reason = "IAM has no resource for lists of an account"
        actions = ["sagemaker:ListEndpointConfigs", "sagemaker:ListModels"]
        allow(grantee, "FindDeployments", actions, ["*"], reason=reason)

    def _arns(self, stage: str) -> tuple[str, str, str]:
        """Endpoint, endpoint configurations, models. Deployments name the latter two after the first."""
        name = self._names.endpoint(stage)
        paths = (f"endpoint/{name}", f"endpoint-config/{name}-*", f"model/{name}-*")
        endpoint, config, model = (arn(self, "sagemaker", path) for path in paths)
        return endpoint, config, model
