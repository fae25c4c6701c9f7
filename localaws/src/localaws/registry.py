"""The one list of services; everything that is not here is moto's alone."""

from collections.abc import Callable, Iterable, Mapping

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.permission import ServicePermissions
from localaws.core.resource import Resource, register
from localaws.gateway.connect_page import ConnectPage
from localaws.gateway.fault_page import FaultPage
from localaws.gateway.gateway import Gateway
from localaws.gateway.status_page import StatusPage
from localaws.services.application_autoscaling import permissions as application_autoscaling_permissions
from localaws.services.application_autoscaling import service as application_autoscaling
from localaws.services.awslambda import permissions as awslambda_permissions
from localaws.services.awslambda import resources as awslambda_resources
from localaws.services.awslambda import service as awslambda
from localaws.services.budgets import resources as budgets_resources
from localaws.services.cloudformation import custom_resource
from localaws.services.cloudformation import permissions as cloudformation_permissions
from localaws.services.cloudformation import resources as cloudformation_resources
from localaws.services.cloudformation.service import CloudFormation
from localaws.services.cloudwatch import alarms
from localaws.services.cloudwatch import permissions as cloudwatch_permissions
from localaws.services.cloudwatch import resources as cloudwatch_resources
from localaws.services.cloudwatch import service as cloudwatch
from localaws.services.codebuild import permissions as codebuild_permissions
from localaws.services.codebuild import resources as codebuild_resources
from localaws.services.codebuild.service import CodeBuild
from localaws.services.codecommit import permissions as codecommit_permissions
from localaws.services.codecommit import resources as codecommit_resources
from localaws.services.codecommit.git_http import PREFIX as GIT_PREFIX
from localaws.services.codecommit.git_http import GitApplication
from localaws.services.codecommit.service import CodeCommit
from localaws.services.codeconnections import permissions as codeconnections_permissions
from localaws.services.codeconnections import resources as codeconnections_resources
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.codepipeline import permissions as codepipeline_permissions
from localaws.services.codepipeline import resources as codepipeline_resources
from localaws.services.codepipeline.git_triggers import GitTriggers
from localaws.services.codepipeline.service import CodePipeline
from localaws.services.ec2 import permissions as ec2_permissions
from localaws.services.ec2 import resources as ec2_resources
from localaws.services.ecr import permissions as ecr_permissions
from localaws.services.ecr import resources as ecr_resources
from localaws.services.ecs import permissions as ecs_permissions
from localaws.services.ecs import resources as ecs_resources
from localaws.services.elbv2 import resources as elbv2_resources
from localaws.services.events import permissions as events_permissions
from localaws.services.events import resources as events_resources
from localaws.services.events import service as events
from localaws.services.iam import permissions as iam_permissions
from localaws.services.iam import resources as iam_resources
from localaws.services.iam import simulation
from localaws.services.kms import permissions as kms_permissions
from localaws.services.kms import resources as kms_resources
from localaws.services.logs import permissions as logs_permissions
from localaws.services.logs import resources as logs_resources
from localaws.services.logs import service as logs
from localaws.services.rds import resources as rds_resources
from localaws.services.s3 import permissions as s3_permissions
from localaws.services.s3 import resources as s3_resources
from localaws.services.s3 import service as s3
from localaws.services.sagemaker import permissions as sagemaker_permissions
from localaws.services.sagemaker import resources as sagemaker_resources
from localaws.services.sagemaker.endpoints.invocations import SageMakerRuntime
from localaws.services.sagemaker.mlflow.proxy import PREFIX as MLFLOW_PREFIX
from localaws.services.sagemaker.mlflow.proxy import MlflowProxy
from localaws.services.sagemaker.service import SageMaker
from localaws.services.scheduler import permissions as scheduler_permissions
from localaws.services.scheduler import resources as scheduler_resources
from localaws.services.scheduler import service as scheduler
from localaws.services.secretsmanager import permissions as secretsmanager_permissions
from localaws.services.servicequotas import service as servicequotas
from localaws.services.sns import permissions as sns_permissions
from localaws.services.sns import resources as sns_resources
from localaws.services.ssm import permissions as ssm_permissions
from localaws.services.ssm import resources as ssm_resources
from localaws.services.stepfunctions import permissions as stepfunctions_permissions
from localaws.services.sts import permissions as sts_permissions

# CloudFormation's types.
RESOURCES: tuple[Iterable[Resource], ...] = (
    awslambda_resources.RESOURCES,
    budgets_resources.RESOURCES,
    cloudformation_resources.RESOURCES,
    cloudwatch_resources.RESOURCES,
    codebuild_resources.RESOURCES,
    codecommit_resources.RESOURCES,
    codeconnections_resources.RESOURCES,
    codepipeline_resources.RESOURCES,
    ec2_resources.RESOURCES,
    ecr_resources.RESOURCES,
    ecs_resources.RESOURCES,
    elbv2_resources.RESOURCES,
    events_resources.RESOURCES,
    iam_resources.RESOURCES,
    kms_resources.RESOURCES,
    logs_resources.RESOURCES,
    rds_resources.RESOURCES,
    s3_resources.RESOURCES,
    sagemaker_resources.RESOURCES,
    scheduler_resources.RESOURCES,
    sns_resources.RESOURCES,
    ssm_resources.RESOURCES,
)

# What a service asks of its caller, by botocore's name of the service; of others, the action of the operation's name.
PERMISSIONS: Mapping[str, ServicePermissions] = {
    "application-autoscaling": application_autoscaling_permissions.PERMISSIONS,
    "lambda": awslambda_permissions.PERMISSIONS,
    "cloudformation": cloudformation_permissions.PERMISSIONS,
    "cloudwatch": cloudwatch_permissions.PERMISSIONS,
    "codebuild": codebuild_permissions.PERMISSIONS,
    "codecommit": codecommit_permissions.PERMISSIONS,
    "codeconnections": codeconnections_permissions.PERMISSIONS,
    "codepipeline": codepipeline_permissions.PERMISSIONS,
    "ec2": ec2_permissions.PERMISSIONS,
    "ecr": ecr_permissions.PERMISSIONS,
    "ecs": ecs_permissions.PERMISSIONS,
    "events": events_permissions.PERMISSIONS,
    "iam": iam_permissions.PERMISSIONS,
    "kms": kms_permissions.PERMISSIONS,
    "logs": logs_permissions.PERMISSIONS,
    "s3": s3_permissions.PERMISSIONS,
    "sagemaker": sagemaker_permissions.PERMISSIONS,
    "scheduler": scheduler_permissions.PERMISSIONS,
    "secretsmanager": secretsmanager_permissions.PERMISSIONS,
    "sns": sns_permissions.PERMISSIONS,
    "ssm": ssm_permissions.PERMISSIONS,
    "stepfunctions": stepfunctions_permissions.PERMISSIONS,
    "sts": sts_permissions.PERMISSIONS,
    "sagemaker-runtime": sagemaker_permissions.RUNTIME_PERMISSIONS,
}

# Single operations of services that are moto's otherwise.
OPERATIONS: Mapping[str, Mapping[str, Callable[[Account, Json], Json]]] = {
    "application-autoscaling": application_autoscaling.OPERATIONS,
    "cloudwatch": cloudwatch.OPERATIONS,
    "iam": simulation.OPERATIONS,
    "lambda": awslambda.OPERATIONS,
    "s3": s3.OPERATIONS,
    "service-quotas": servicequotas.OPERATIONS,
}


def install(account: Account, gateway: Gateway) -> None:
    """Create the services of an account, with their operations, routes and CloudFormation types."""
    sagemaker = SageMaker(account)
    stacks = CloudFormation(account)
    for service in (
        sagemaker,
        SageMakerRuntime(account, sagemaker),
        CodeCommit(account),
        CodeConnections(account),
        CodeBuild(account),
        CodePipeline(account),
        stacks,
    ):
        account.services[service.name] = service
    for types in RESOURCES:
        for resource in types:
            register(resource)
    gateway.permissions = PERMISSIONS
    gateway.operations = OPERATIONS
    gateway.observers["events", "PutEvents"] = events.publish_entries
    gateway.observers["logs", "PutRetentionPolicy"] = logs.check_retention
    gateway.observers["s3", "CreateBucket"] = s3.check_bucket_name
    for operation in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
        gateway.observers["s3", operation] = s3.check_conditions
    triggers = GitTriggers(account)
    gateway.signed_routes[f"{MLFLOW_PREFIX}/"] = MlflowProxy(account).answer
    gateway.routes[GIT_PREFIX] = GitApplication(account)
    gateway.routes[custom_resource.RESPONSE_PREFIX] = custom_resource.receive
    gateway.routes[ConnectPage.path] = ConnectPage(account, triggers)
    gateway.routes[FaultPage.path] = FaultPage(account, gateway.faults)
    gateway.routes[StatusPage.path] = StatusPage(account, stacks, gateway.faults)
    alarms.listen(account)
    events.listen(account)
    scheduler.listen(account)
    triggers.listen()
