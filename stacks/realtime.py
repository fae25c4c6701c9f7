"""The additions of an endpoint on instances to a serverless one: guarded updates, scaling, capture, a network."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import METRIC_NAMESPACE, PRODUCTION, VARIANT_NAME, Prefix
from stacks.context import ModelContext
from stacks.limits import Conditions, limits
from stacks.permissions import allow, arn, grant_volumes, grant_write
from stacks.production_alarms import ProductionAlarms
from stacks.settings.endpoints import AllAtOnce, Autoscaling, RealtimeProduction, StagingInstance

_SAGEMAKER = "sagemaker.amazonaws.com"
_SCALING = "sagemaker.application-autoscaling.amazonaws.com"
_SCALING_ROLE = f"aws-service-role/{_SCALING}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
_OF_SAGEMAKER = {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
_TARGETS = "Application Auto Scaling gives scalable targets their ids"
_ALARMS = "Application Auto Scaling names the alarms of its policies, after the variant"


@dataclass(frozen=True, kw_only=True)
class Realtime:
    """The production endpoint on instances, and that of staging if it has one."""

    scope: Construct
    endpoint_name: str
    context: ModelContext
    artifact_bucket: s3.IBucket
    production_alarms: ProductionAlarms
    production: RealtimeProduction
    staging: StagingInstance | None

    def settings(self) -> Mapping[str, object]:
        """The settings of the endpoint, as ml_code/serving/hosting.py reads them."""
        production, network, key = self.production, self.context.network, self.context.key
        rollout = production.rollout
        # Without effect for as many instances at most as there are.
        scaling = production.autoscaling or Autoscaling.model_construct(
            max_instance_count=production.instance_count
        )
        return {
            "mode": "realtime",
            "instance_type": production.instance_type,
            "instance_count": production.instance_count,
            "max_instance_count": scaling.max_instance_count,
            "invocations_per_instance": scaling.invocations_per_instance,
            "scale_in_cooldown_seconds": scaling.scale_in_cooldown_seconds,
            "scale_out_cooldown_seconds": scaling.scale_out_cooldown_seconds,
            "data_capture_percent": production.data_capture_percent,
            "data_capture_uri": f"s3://{self.artifact_bucket.bucket_name}/{Prefix.CAPTURED.rstrip('/')}",
            "rollout": rollout.type,
            "rollout_step_percent": 100 if isinstance(rollout, AllAtOnce) else rollout.step_percent,
            "rollout_bake_seconds": rollout.bake_seconds,
            "alarms": self.production_alarms.alarm_names,
            "kms_key": key.key_arn if key else "",
            "subnets": [subnet.subnet_id for subnet in network.subnets] if network else [],
            "security_groups": [network.serving.security_group_id] if network else [],
        }

    def staging_settings(self) -> Mapping[str, object]:
        """One instance, updated at once: who is served there can wait."""
        assert self.staging, "the settings ask for an instance"
        single = {
            "instance_type": self.staging.instance_type,
            "instance_count": 1,
            "max_instance_count": 1,
            "data_capture_percent": 0,
        }
        return {
            **self.settings(),
            **single,
            "rollout": "all-at-once",
            "rollout_bake_seconds": 0,
            "alarms": [],
        }

    def model_limits(self) -> Conditions:
        """The conditions on a deployment's models: a foreign network or code would run with the endpoint's role."""
        network = self.context.network
        found = limits(network=network, group=network.serving if network else None)
        return {**found, "Bool": {"sagemaker:NetworkIsolation": "true"}}

    def config_limits(self, stage: str) -> Conditions:
        instances = self.production if stage == PRODUCTION else self.staging
        assert instances, "the settings ask for an instance"
        return limits(instance_types=[instances.instance_type], volume_key=self.context.key)

    def grant_host(self, role: iam.IRole) -> None:
        """Let SageMaker look at alarms, write captured records and attach interfaces with production's role."""
        self._grant_alarms(role)
        if self.production.data_capture_percent:
            captured = f"{Prefix.CAPTURED}{self.endpoint_name}/"
            grant_write(role, "CaptureData", self.artifact_bucket, captured)
        self.grant_host_staging(role)

    def grant_host_staging(self, role: iam.IRole) -> None:
        """Let SageMaker use the key and attach interfaces with the role of any endpoint on instances."""
        if self.context.key:
            grant_volumes(role, self.context.key)
        if network := self.context.network:
            network.grant_interfaces(role, _SAGEMAKER, network.serving)

    def grant_update(self, grantee: iam.IGrantable) -> None:
        """Watch an update, feed the alarm on quality, and stop and start scaling around it."""
        self._grant_alarms(grantee)
        reason = "IAM has no resource for metrics; the namespace is a condition"
        condition = {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}}
        allow(grantee, "PutQuality", ["cloudwatch:PutMetricData"], ["*"], condition, reason=reason)
        if self.context.key:
            grant_volumes(grantee, self.context.key)
        grant_stop_scaling(grantee, self.scope, self.endpoint_name)
        targets, alarms = _scaling_arns(self.scope, self.endpoint_name)
        actions = [
            f"application-autoscaling:{verb}" for verb in ("PutScalingPolicy", "RegisterScalableTarget")
        ]
        allow(grantee, "Scale", actions, [targets], _OF_SAGEMAKER, reason=_TARGETS)
        endpoint = arn(self.scope, "sagemaker", f"endpoint/{self.endpoint_name}")
        allow(grantee, "ChangeCapacity", ["sagemaker:UpdateEndpointWeightsAndCapacities"], [endpoint])
        actions = ["cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"]
        allow(grantee, "MakeScalingAlarms", actions, alarms, reason=_ALARMS)
        # Once in an account: by the first update that scales an endpoint.
        stack = Stack.of(self.scope)
        role = f"arn:{stack.partition}:iam::{stack.account}:role/{_SCALING_ROLE}"
        condition = {"StringEquals": {"iam:AWSServiceName": _SCALING}}
        allow(grantee, "MakeScalingRole", ["iam:CreateServiceLinkedRole"], [role], condition)

    def grant_update_staging(self, grantee: iam.IGrantable, endpoint_name: str) -> None:
        grant_stop_scaling(grantee, self.scope, endpoint_name)
        if self.context.key:
            grant_volumes(grantee, self.context.key)

    def _grant_alarms(self, grantee: iam.IGrantable) -> None:
        alarms = [alarm.alarm_arn for alarm in self.production_alarms.alarms.values()]
        allow(grantee, "WatchAlarms", ["cloudwatch:DescribeAlarms"], alarms)


def grant_stop_scaling(grantee: iam.IGrantable, scope: Construct, *endpoint_names: str) -> None:
    """Allow to deregister an endpoint's scaling; SageMaker does so with the caller's rights when it deletes one."""
    targets, alarms = _scaling_arns(scope, *endpoint_names)
    actions = ["application-autoscaling:DeregisterScalableTarget"]
    allow(grantee, "StopScaling", actions, [targets], _OF_SAGEMAKER, reason=_TARGETS)
    allow(grantee, "RemoveScalingAlarms", ["cloudwatch:DeleteAlarms"], alarms, reason=_ALARMS)


def _scaling_arns(scope: Construct, *endpoint_names: str) -> tuple[str, list[str]]:
    """Scalable targets, and the alarms of their policies."""
    alarms = [f"alarm:TargetTracking-endpoint/{name}/variant/{VARIANT_NAME}-*" for name in endpoint_names]
    targets = arn(scope, "application-autoscaling", "scalable-target/*")
    return targets, [arn(scope, "cloudwatch", name) for name in alarms]
