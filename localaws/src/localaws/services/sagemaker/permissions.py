"""Permissions that SageMaker needs from its caller.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
"""

from collections.abc import Iterator
from typing import cast

from localaws.core.account import Account
from localaws.core.permission import Operation, PassedRoles, Permission, ServicePermissions, arn
from localaws.services.sagemaker.condition_keys import condition_keys
from localaws.services.sagemaker.endpoints.scalable_targets import deregistration, scalable_variants
from localaws.services.sagemaker.service import SageMaker


def _sagemaker(kind: str, member: str) -> str:
    return arn("sagemaker", f"{kind}/{{{member}}}")


def _further(account: Account, operation: Operation) -> Iterator[Permission]:
    endpoint = operation.parameters.get("EndpointName", "")
    if operation.name == "DeleteEndpoint" and scalable_variants(account.region, endpoint):
        yield deregistration(account)
    if operation.name in ("CreateEndpoint", "UpdateEndpoint"):
        # A grant is made on the endpoint configuration's key, as who creates or updates the endpoint.
        sagemaker = cast(SageMaker, account.services["sagemaker"])
        if key := sagemaker.endpoint_configs.volume_key(operation.parameters["EndpointConfigName"]):
            yield Permission("kms:CreateGrant", key, {"kms:grantisforawsresource": ["true"]})


def _resource_tags(account: Account, resource: str) -> dict[str, str]:
    """A job's ARN is in lower case, unlike the request's name."""
    tags = cast(SageMaker, account.services["sagemaker"]).shared.tags
    return tags.of(resource) or tags.of(resource.lower())


PERMISSIONS = ServicePermissions(
    resource_tags=_resource_tags,
    context=lambda account, operation: condition_keys(account.region, operation),
    resources={
        "CreateEndpoint": _sagemaker("endpoint", "EndpointName")
        + " + "
        + _sagemaker("endpoint-config", "EndpointConfigName"),
        "UpdateEndpoint": _sagemaker("endpoint", "EndpointName")
        + " + "
        + _sagemaker("endpoint-config", "EndpointConfigName"),
        "ListPipelineExecutions": _sagemaker("pipeline", "PipelineName"),
        "ListPipelineExecutionSteps": "{PipelineExecutionArn}",
        "ListPipelineParametersForExecution": "{PipelineExecutionArn}",
        "ListTrainingJobsForHyperParameterTuningJob": _sagemaker(
            "hyper-parameter-tuning-job", "HyperParameterTuningJobName"
        ),
        "ListTags": "{ResourceArn}",
        "ListModelPackages": arn("sagemaker", "model-package/{ModelPackageGroupName}/*"),
        "CreateMlflowApp": arn("sagemaker", "mlflow-app/*"),
        "PipelineExecutionArn=": "{PipelineExecutionArn}",
        "PipelineName=": _sagemaker("pipeline", "PipelineName"),
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
    lists_everything=True,
    tag_action="AddTags",
    roles=[
        PassedRoles(
            members=["RoleArn", "TrainingJobDefinition.RoleArn", "TrainingJobDefinitions[].RoleArn"],
            service="sagemaker.amazonaws.com",
            code="ValidationException",
            message="Could not assume role {role}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role.",
        ),
        PassedRoles(
            members=["ExecutionRoleArn"],
            service="sagemaker.amazonaws.com",
            code="ValidationException",
            message='The execution role ARN "{role}" is invalid. Please ensure that the role exists and that its trust '
            'relationship policy allows the action "sts:AssumeRole" for the service principal '
            '"sagemaker.amazonaws.com".',
        ),
    ],
    further=_further,
)
RUNTIME_PERMISSIONS = ServicePermissions(
    resources={"EndpointName=": _sagemaker("endpoint", "EndpointName")},
    context=lambda account, operation: condition_keys(account.region, operation),
)
