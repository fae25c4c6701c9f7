"""Which permissions an operation needs: action, resource and condition keys, as the Service Authorization
Reference lists them. An action that no table gives a resource is checked on the resource "*", which on AWS, too,
is what only a statement about all resources allows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from localaws.core.account import ACCOUNT_ID
from localaws.core.service import Json
from localaws.gateway.wire import Operation
from localaws.services.application_autoscaling.permissions import autoscaling_permissions, target_context
from localaws.services.iam.authorization import Principal, assume_permission, authorize
from localaws.services.kms.permissions import object_permissions
from localaws.services.s3.permissions import is_missing_object, s3_permissions

if TYPE_CHECKING:
    from localaws.core.account import Account
    from localaws.services.sagemaker.service import SageMaker

# Of services whose actions are not called as their API is.
ACTION_PREFIX = {
    "resourcegroupstaggingapi": "tag",
    "sagemaker-runtime": "sagemaker",
    "sagemaker-metrics": "sagemaker",
    "stepfunctions": "states",
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
}
ALWAYS_ALLOWED = {"sts:GetCallerIdentity", "sts:GetSessionToken"}


@dataclass(frozen=True)
class Permission:
    action: str
    resource: str = "*"
    context: dict[str, list[str]] = field(default_factory=dict)


def require_permissions(account: "Account", principal: Principal, operation: Operation) -> None:
    """Raises ServiceError("AccessDenied") unless the principal may do all of what the operation means."""
    for permission in (*permissions(account.region, operation), *_endpoint_volumes(account, operation)):
        if permission.action == "sts:AssumeRole":
            assume_permission(principal, permission.resource)
        elif permission.action not in ALWAYS_ALLOWED:
            context = {"aws:requestedregion": [account.region], **permission.context}
            authorize(principal, permission.action, permission.resource, context)
    if operation.service == "s3" and is_missing_object(operation.name, operation.parameters):
        # S3 says whether an object exists only to who may list the bucket: 403 instead of 404.
        authorize(principal, "s3:ListBucket", f"arn:aws:s3:::{operation.parameters['Bucket']}")


def permissions(region: str, operation: Operation) -> Iterator[Permission]:
    if operation.service == "s3":
        for action, resource, context in s3_permissions(operation.name, operation.parameters):
            yield Permission(f"s3:{action}", resource, context)
        for needed in object_permissions(region, operation.name, operation.parameters):
            yield Permission(*needed)
        return
    prefix = ACTION_PREFIX.get(operation.service, operation.service)
    name = "InvokeFunction" if operation.name == "Invoke" else operation.name
    context = _tag_context(operation.parameters)
    if (operation.service, operation.name) == ("cloudwatch", "PutMetricData"):
        context["cloudwatch:namespace"] = [operation.parameters["Namespace"]]
    if operation.service == "application-autoscaling":
        context |= target_context(operation.parameters)
    arns = resources(region, operation)
    for arn in arns:
        yield Permission(f"{prefix}:{name}", arn, context)
    if prefix == "sagemaker" and operation.name.startswith("Create") and operation.parameters.get("Tags"):
        yield Permission("sagemaker:AddTags", arns[0], context)
    yield from _pass_role(operation)
    for needed in autoscaling_permissions(region, operation.service, operation.name, operation.parameters):
        yield Permission(*needed)


def _endpoint_volumes(account: "Account", operation: Operation) -> Iterator[Permission]:
    """SageMaker makes a grant on the endpoint configuration's key, as who creates or updates the endpoint."""
    if (operation.service, operation.name) not in (
        ("sagemaker", "CreateEndpoint"),
        ("sagemaker", "UpdateEndpoint"),
    ):
        return
    sagemaker = cast("SageMaker", account.services["sagemaker"])
    if key := sagemaker.endpoint_configs.volume_key(operation.parameters["EndpointConfigName"]):
        yield Permission("kms:CreateGrant", key, {"kms:grantisforawsresource": ["true"]})


def resources(region: str, operation: Operation) -> list[str]:
    """The ARNs of what the operation works on."""
    table = RESOURCES.get(operation.service, {})
    template = table.get(operation.name)
    if template is None:
        template = next(
            (table[key] for key in table if key.endswith("=") and key[:-1] in operation.parameters), None
        )
    if template is None or (_is_list(operation) and operation.name not in table):
        return ["*"]
    found = [arn for part in template.split(" + ") for arn in _expand(part, region, operation.parameters)]
    return found or ["*"]


def _is_list(operation: Operation) -> bool:
    """Listing works on all resources of a kind, unless a table says of which one it lists."""
    return operation.service == "sagemaker" and operation.name.startswith(("List", "Search"))


def _expand(template: str, region: str, parameters: Json) -> list[str]:
    """`template` with {member}, {member.inner} or {members[]} put in; none when a member is absent."""
    before, _, rest = template.partition("{")
    if not rest:
        return [template]
    path, _, after = rest.partition("}")
    if path in ("region", "account"):
        value = {"region": region, "account": ACCOUNT_ID}[path]
        return _expand(f"{before}{value}{after}", region, parameters)
    arns = []
    for value in map(str, _values(parameters, path.split("."))):
        if value.startswith("arn:"):  # members that take a name or an ARN
            arns.append(value)
        elif before.endswith("project/"):  # a build's id starts with its project's name
            arns.append(f"{before}{value.partition(':')[0]}")
        elif before.endswith("parameter/"):
            arns.append(f"{before}{value.lstrip('/')}")
        else:
            arns += _expand(f"{before}{value}{after}", region, parameters)
    return arns


def _values(value: Any, path: list[str]) -> list[Any]:
    if not path:
        return [] if value is None else [value]
    name, is_list = path[0].removesuffix("[]"), path[0].endswith("[]")
    inner = value.get(name) if isinstance(value, dict) else None
    if inner is None:
        return []
    return [found for item in (inner if is_list else [inner]) for found in _values(item, path[1:])]


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{{region}}:{{account}}:{resource}"


def _sagemaker(kind: str, member: str) -> str:
    return _arn("sagemaker", f"{kind}/{{{member}}}")


_PIPELINE = _sagemaker("pipeline", "PipelineName")
_FUNCTION = _arn("lambda", "function:{FunctionName}")
_PROJECT = _arn("codebuild", "project/{projectName}")
_ACTION = _arn("codepipeline", "{pipelineName}/{stageName}/{actionName}")
_REPOSITORY = _arn("codecommit", "{repositoryName}")
_RULE = _arn("events", "rule/{Name}")
_GROUP = _arn("logs", "log-group:{logGroupName}:*")
_STREAM = _arn("logs", "log-group:{logGroupName}:log-stream:{logStreamName}")
_ROLE = "arn:aws:iam::{account}:role/{RoleName}"

# Per service: an operation, or with "=" behind it a member that any operation may have, and the resource's ARN.
RESOURCES: dict[str, dict[str, str]] = {
    "sagemaker": {
        "CreateEndpoint": _sagemaker("endpoint", "EndpointName")
        + " + "
        + _sagemaker("endpoint-config", "EndpointConfigName"),
        "UpdateEndpoint": _sagemaker("endpoint", "EndpointName")
        + " + "
        + _sagemaker("endpoint-config", "EndpointConfigName"),
        "ListPipelineExecutions": _PIPELINE,
        "ListPipelineExecutionSteps": "{PipelineExecutionArn}",
        "ListPipelineParametersForExecution": "{PipelineExecutionArn}",
        "ListTrainingJobsForHyperParameterTuningJob": _sagemaker(
            "hyper-parameter-tuning-job", "HyperParameterTuningJobName"
        ),
        "ListTags": "{ResourceArn}",
        "ListModelPackages": _sagemaker("model-package-group", "ModelPackageGroupName"),
        "CreateMlflowApp": _arn("sagemaker", "mlflow-app/*"),
        "PipelineExecutionArn=": "{PipelineExecutionArn}",
        "PipelineName=": _PIPELINE,
        "EndpointName=": _sagemaker("endpoint", "EndpointName"),
        "EndpointConfigName=": _sagemaker("endpoint-config", "EndpointConfigName"),
        "TransformJobName=": _sagemaker("transform-job", "TransformJobName"),
        "ModelName=": _sagemaker("model", "ModelName"),
        "ProcessingJobName=": _sagemaker("processing-job", "ProcessingJobName"),
        "TrainingJobName=": _sagemaker("training-job", "TrainingJobName"),
        "HyperParameterTuningJobName=": _sagemaker(
            "hyper-parameter-tuning-job", "HyperParameterTuningJobName"
        ),
        "ModelPackageGroupName=": _sagemaker("model-package-group", "ModelPackageGroupName"),
        "TrackingServerName=": _sagemaker("mlflow-tracking-server", "TrackingServerName"),
        "ResourceArn=": "{ResourceArn}",
        "Arn=": "{Arn}",
    },
    "sagemaker-runtime": {"EndpointName=": _sagemaker("endpoint", "EndpointName")},
    "codebuild": {
        "CreateProject": _arn("codebuild", "project/{name}"),
        "UpdateProject": _arn("codebuild", "project/{name}"),
        "DeleteProject": _arn("codebuild", "project/{name}"),
        "BatchGetProjects": _arn("codebuild", "project/{names[]}"),
        "BatchGetBuilds": _arn("codebuild", "project/{ids[]}"),
        "StopBuild": _arn("codebuild", "project/{id}"),
        "RetryBuild": _arn("codebuild", "project/{id}"),
        "projectName=": _PROJECT,
    },
    "codepipeline": {
        "CreatePipeline": _arn("codepipeline", "{pipeline.name}"),
        "UpdatePipeline": _arn("codepipeline", "{pipeline.name}"),
        "PutApprovalResult": _ACTION,
        "PutActionRevision": _ACTION,
        "RetryStageExecution": _arn("codepipeline", "{pipelineName}/{stageName}"),
        "EnableStageTransition": _arn("codepipeline", "{pipelineName}/{stageName}"),
        "DisableStageTransition": _arn("codepipeline", "{pipelineName}/{stageName}"),
        "resourceArn=": "{resourceArn}",
        "pipelineName=": _arn("codepipeline", "{pipelineName}"),
        "name=": _arn("codepipeline", "{name}"),
    },
    "codecommit": {
        "BatchGetRepositories": _arn("codecommit", "{repositoryNames[]}"),
        "UpdateRepositoryName": _arn("codecommit", "{oldName}"),
        "resourceArn=": "{resourceArn}",
        "repositoryName=": _REPOSITORY,
    },
    "codeconnections": {
        "CreateConnection": _arn("codeconnections", "connection/*"),
        "ConnectionArn=": "{ConnectionArn}",
        "ResourceArn=": "{ResourceArn}",
    },
    "logs": {
        "DescribeLogGroups": _arn("logs", "log-group:*"),
        "PutLogEvents": _STREAM,
        "GetLogEvents": _STREAM,
        "CreateLogStream": _STREAM,
        "DeleteLogStream": _STREAM,
        "StartQuery": _arn("logs", "log-group:{logGroupName}:*")
        + " + "
        + _arn("logs", "log-group:{logGroupNames[]}:*"),
        "logGroupName=": _GROUP,
        "logGroupIdentifier=": _arn("logs", "log-group:{logGroupIdentifier}:*"),
        "resourceArn=": "{resourceArn}",
    },
    "iam": {
        "RoleName=": _ROLE,
        "UserName=": "arn:aws:iam::{account}:user/{UserName}",
        "GroupName=": "arn:aws:iam::{account}:group/{GroupName}",
        "CreatePolicy": "arn:aws:iam::{account}:policy/{PolicyName}",
        "PolicyArn=": "{PolicyArn}",
    },
    "sts": {"AssumeRole": "{RoleArn}"},
    "ssm": {
        "GetParameters": _arn("ssm", "parameter/{Names[]}"),
        "DeleteParameters": _arn("ssm", "parameter/{Names[]}"),
        "GetParametersByPath": _arn("ssm", "parameter/{Path}"),
        "GetParameter": _arn("ssm", "parameter/{Name}"),
        "PutParameter": _arn("ssm", "parameter/{Name}"),
        "DeleteParameter": _arn("ssm", "parameter/{Name}"),
        "GetParameterHistory": _arn("ssm", "parameter/{Name}"),
    },
    "events": {
        "PutTargets": _arn("events", "rule/{Rule}"),
        "RemoveTargets": _arn("events", "rule/{Rule}"),
        "ListTargetsByRule": _arn("events", "rule/{Rule}"),
        "PutEvents": _arn("events", "event-bus/default"),
        "DescribeRule": _RULE,
        "PutRule": _RULE,
        "DeleteRule": _RULE,
        "EnableRule": _RULE,
        "DisableRule": _RULE,
        "ResourceARN=": "{ResourceARN}",
    },
    "lambda": {
        "ListTags": "{Resource}",
        "TagResource": "{Resource}",
        "UntagResource": "{Resource}",
        "FunctionName=": _FUNCTION,
    },
    "sns": {
        "CreateTopic": _arn("sns", "{Name}"),
        "TopicArn=": "{TopicArn}",
        "ResourceArn=": "{ResourceArn}",
    },
    "cloudwatch": {
        "PutMetricAlarm": _arn("cloudwatch", "alarm:{AlarmName}"),
        "PutCompositeAlarm": _arn("cloudwatch", "alarm:{AlarmName}"),
        "DeleteAlarms": _arn("cloudwatch", "alarm:{AlarmNames[]}"),
        "DescribeAlarms": _arn("cloudwatch", "alarm:{AlarmNames[]}"),
        "SetAlarmState": _arn("cloudwatch", "alarm:{AlarmName}"),
        "DescribeAlarmHistory": _arn("cloudwatch", "alarm:{AlarmName}"),
        "PutDashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
        "GetDashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
        "DeleteDashboards": "arn:aws:cloudwatch::{account}:dashboard/{DashboardNames[]}",
        "ResourceARN=": "{ResourceARN}",
    },
    "application-autoscaling": {
        name: _arn("application-autoscaling", "scalable-target/*")
        for name in (
            "RegisterScalableTarget",
            "DeregisterScalableTarget",
            "PutScalingPolicy",
            "DeleteScalingPolicy",
        )
    },
    "kms": {"KeyId=": _arn("kms", "key/{KeyId}")},
    "ecr": {"GetAuthorizationToken": "*", "repositoryName=": _arn("ecr", "repository/{repositoryName}")},
    "cloudformation": {
        "DescribeStacks": _arn("cloudformation", "stack/{StackName}/*"),
        "GetTemplateSummary": _arn("cloudformation", "stack/{StackName}/*"),
        "StackName=": _arn("cloudformation", "stack/{StackName}/*"),
    },
    "scheduler": {"Name=": _arn("scheduler", "schedule/default/{Name}")},
    "secretsmanager": {"SecretId=": "{SecretId}"},
    "sqs": {},
}

# Where a request hands a role to a service: member, and the service that will assume it.
_SAGEMAKER_ROLES = [
    "RoleArn",
    "ExecutionRoleArn",
    "TrainingJobDefinition.RoleArn",
    "TrainingJobDefinitions[].RoleArn",
]
PASSED_ROLES: dict[str, tuple[str, list[str]]] = {
    "sagemaker": ("sagemaker.amazonaws.com", _SAGEMAKER_ROLES),
    "codebuild": ("codebuild.amazonaws.com", ["serviceRole", "serviceRoleOverride"]),
    "codepipeline": ("codepipeline.amazonaws.com", ["pipeline.roleArn"]),
    "events": ("events.amazonaws.com", ["RoleArn", "Targets[].RoleArn"]),
    "lambda": ("lambda.amazonaws.com", ["Role"]),
    "cloudformation": ("cloudformation.amazonaws.com", ["RoleARN"]),
    "scheduler": ("scheduler.amazonaws.com", ["Target.RoleArn"]),
    "stepfunctions": ("states.amazonaws.com", ["roleArn"]),
    "logs": ("logs.amazonaws.com", ["roleArn"]),
}


def _pass_role(operation: Operation) -> Iterator[Permission]:
    service, members = PASSED_ROLES.get(operation.service, ("", []))
    roles = {role for member in members for role in _values(operation.parameters, member.split("."))}
    for role in sorted(roles):
        yield Permission("iam:PassRole", role, {"iam:passedtoservice": [service]})


def _tag_context(parameters: Json) -> dict[str, list[str]]:
    """aws:RequestTag/… and aws:TagKeys, in any of the ways that services write tags."""
    tags = parameters.get("Tags", parameters.get("tags"))
    if isinstance(tags, list):
        pairs = {
            tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value", ""))
            for tag in tags
            if isinstance(tag, dict)
        }
    else:
        pairs = dict(tags) if isinstance(tags, dict) else {}
    if not pairs:
        return {}
    context = {f"aws:requesttag/{str(key).lower()}": [str(value)] for key, value in pairs.items()}
    return {**context, "aws:tagkeys": [str(key) for key in pairs]}
