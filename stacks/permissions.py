"""IAM statements where no `grant_*` of CDK's is as narrow as the need. Each names its need in the Sid."""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import IConstruct

from ml_code.contracts import Tag
from stacks.acknowledgements import acknowledge_patterns

JOB_STREAMS = "A stream a job, in log groups that SageMaker shares among all jobs of the account"
OWN_STREAMS = "The service names the streams of this one group"
_OBJECTS = (
    "Objects under one prefix, or in one bucket, with one kind of writer; their keys are made at run time"
)


def arn(scope: IConstruct, service: str, path: str) -> str:
    """`path` is what follows the account id, with the service's own separator."""
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{path}"


# Services that say for which account they assume a role, by their documentation: docs/security.md has the pages. A
# condition that a service does not meet keeps it from the role.
_SAY_THEIR_ACCOUNT = tuple(
    f"{service}.amazonaws.com"
    for service in ("codebuild", "ecs-tasks", "sagemaker", "scheduler", "vpc-flow-logs")
)


def service_role(
    scope: IConstruct, id_: str, service: str, description: str, *, says_account: bool = True
) -> iam.Role:
    """A role that `service` can assume; only for this account, unless the service does not say for which.

    Constructs of CDK's must not widen it by themselves, so callers hand out `without_policy_updates()`.
    """
    own = {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}
    is_limited = says_account and service in _SAY_THEIR_ACCOUNT
    return iam.Role(
        scope,  # type: ignore[arg-type]
        id_,
        assumed_by=iam.ServicePrincipal(service, conditions=own if is_limited else None),
        description=description,
    )


def allow(
    grantee: iam.IGrantable,
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: Mapping[str, Mapping[str, str | list[str]]] | None = None,
    *,
    reason: str | None = None,
) -> None:
    """`reason` says why there are patterns: names that no policy can know."""
    statement = iam.PolicyStatement(
        sid=sid, actions=list(actions), resources=list(resources), conditions=conditions
    )
    grantee.grant_principal.add_to_principal_policy(statement)
    if reason:
        acknowledge_patterns(cast(IConstruct, grantee.grant_principal), actions, resources, reason)


def of_factory(factory: str) -> dict[str, dict[str, str | list[str]]]:
    """The condition that what exists already has the factory's tag: a neighbour's names may begin alike."""
    return {"StringEquals": {f"aws:ResourceTag/{Tag.FACTORY}": factory}}


def grant_pass_role(grantee: iam.IGrantable, role: iam.IRole, service: str) -> None:
    condition = {"StringEquals": {"iam:PassedToService": service}}
    allow(grantee, "PassRole", ["iam:PassRole"], [role.role_arn], condition)


def grant_list(grantee: iam.IGrantable, sid: str, *buckets: s3.IBucket) -> None:
    """Allow to list buckets; without it S3 answers 403 instead of 404 for a missing key."""
    actions = ["s3:GetBucketLocation", "s3:ListBucket"]
    allow(grantee, sid, actions, [bucket.bucket_arn for bucket in buckets])


def grant_read(grantee: iam.IGrantable, sid: str, bucket: s3.IBucket, *prefixes: str) -> None:
    """Allow to read objects under the prefixes; without any, in the whole bucket."""
    actions = ["s3:GetObject", "s3:GetObjectVersion"]
    objects = [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes or ("",)]
    allow(grantee, sid, actions, objects, reason=_OBJECTS)
    if bucket.encryption_key:
        _grant_key(grantee, "DecryptObjects", ["kms:Decrypt"], bucket.encryption_key)


def grant_write(grantee: iam.IGrantable, sid: str, bucket: s3.IBucket, *prefixes: str) -> None:
    """Allow to write objects under the prefixes; without any, in the whole bucket."""
    actions = ["s3:AbortMultipartUpload", "s3:PutObject"]
    objects = [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes or ("",)]
    allow(grantee, sid, actions, objects, reason=_OBJECTS)
    if bucket.encryption_key:
        # The parts of a large upload are read again to join them.
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        _grant_key(grantee, "EncryptObjects", actions, bucket.encryption_key)


def grant_delete(grantee: iam.IGrantable, sid: str, bucket: s3.IBucket, *prefixes: str) -> None:
    """Allow to delete all versions of objects under the prefixes, and unfinished uploads; without any, in the bucket."""
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    objects = [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes or ("",)]
    allow(grantee, sid, actions, objects, reason=_OBJECTS)


def grant_bucket_acls(grantee: iam.IGrantable, bucket: s3.IBucket) -> None:
    """Let the grantee write objects with an ACL, besides `grant_write`."""
    allow(grantee, "LookAtStore", ["s3:GetBucketAcl", "s3:GetBucketVersioning"], [bucket.bucket_arn])
    allow(grantee, "WriteAcls", ["s3:PutObjectAcl"], [bucket.arn_for_objects("*")], reason=_OBJECTS)


def _grant_key(grantee: iam.IGrantable, sid: str, actions: Sequence[str], key: kms.IKey) -> None:
    """Through S3 only. A role that reads several prefixes gets it once: CDK drops equal statements."""
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{Stack.of(key).region}.amazonaws.com"}}
    allow(grantee, sid, actions, [key.key_arn], through_s3)


def grant_volumes(grantee: iam.IGrantable, key: kms.IKey) -> None:
    """Let SageMaker encrypt the volumes of jobs that run with the role."""
    allow(grantee, "DescribeKey", ["kms:DescribeKey"], [key.key_arn])
    condition = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    allow(grantee, "EncryptVolumes", ["kms:CreateGrant"], [key.key_arn], condition)


def grant_write_logs(
    grantee: iam.IGrantable, *log_groups: logs.ILogGroup, finds_streams: bool = False
) -> None:
    """Allow to write to log groups of the stack; without CreateLogGroup, as a late line would bring a deleted group back.

    SageMaker and the VPC's flow logs look for their streams, others do not.
    """
    find = ["logs:DescribeLogStreams"] if finds_streams else []
    actions = ["logs:CreateLogStream", *find, "logs:PutLogEvents"]
    streams = [arn(group, "logs", f"log-group:{group.log_group_name}:*") for group in log_groups]
    allow(grantee, "WriteLogs", actions, streams, reason=OWN_STREAMS)


def grant_job_logs(grantee: iam.IGrantable, scope: IConstruct, *group_names: str) -> None:
    """Let SageMaker write with a job's role to the log groups that it keeps for all jobs of the account."""
    actions = ["CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents"]
    groups = [arn(scope, "logs", f"log-group:{name}:*") for name in group_names]
    allow(grantee, "WriteLogs", [f"logs:{action}" for action in actions], groups, reason=JOB_STREAMS)


def grant_image(grantee: iam.IGrantable, scope: IConstruct, image_uri: str) -> None:
    """Pull an image from ECR; other registries ask for no permission of IAM's."""
    registry, repository = re.split("[:@]", image_uri)[0].split("/", 1)
    if ".dkr.ecr." not in registry:
        return
    account, region = registry.split(".")[0], registry.split(".")[3]
    image = f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{repository}"
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    allow(grantee, "PullImage", pull, [image])
    reason = "IAM has no resource for a registry's token"
    allow(grantee, "LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"], reason=reason)


def grant_container(
    grantee: iam.IGrantable, scope: IConstruct, image_uri: str, *metric_namespaces: str
) -> None:
    """Let SageMaker pull the image and report metrics with the role of a job or model."""
    grant_image(grantee, scope, image_uri)
    reason = "IAM has no resource for metrics; the namespace is a condition"
    condition = {"StringEquals": {"cloudwatch:namespace": list(metric_namespaces)}}
    allow(grantee, "PutMetrics", ["cloudwatch:PutMetricData"], ["*"], condition, reason=reason)
