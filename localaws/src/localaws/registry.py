"""The one list of what the local AWS implements itself; everything else is moto's."""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from localaws.core import resource as cloudformation
from localaws.core import resource_helpers as cloudformation_types
from localaws.core.account import Account
from localaws.core.service import Json
from localaws.gateway.connect_page import ConnectPage
from localaws.services.application_autoscaling import service as autoscaling
from localaws.services.awslambda import service as lambda_functions
from localaws.services.cloudformation import custom_resource
from localaws.services.cloudformation.service import CloudFormation
from localaws.services.cloudwatch import resources as cloudformation_monitoring
from localaws.services.cloudwatch import service as cloudwatch
from localaws.services.codebuild import service as codebuild
from localaws.services.codebuild.service import CodeBuild
from localaws.services.codecommit import service as codecommit
from localaws.services.codecommit.git_http import PREFIX, GitApplication
from localaws.services.codecommit.service import CodeCommit
from localaws.services.codeconnections import service as codeconnections
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.codepipeline import service as codepipeline
from localaws.services.codepipeline.git_triggers import GitTriggers
from localaws.services.codepipeline.service import CodePipeline
from localaws.services.ec2 import resources as cloudformation_ec2
from localaws.services.ecs import resources as cloudformation_containers
from localaws.services.events import service as events
from localaws.services.kms import resources as cloudformation_kms
from localaws.services.sagemaker import resources as sagemaker_resources
from localaws.services.sagemaker.endpoints.runtime import SageMakerRuntime
from localaws.services.sagemaker.service import SageMaker
from localaws.services.scheduler import service as scheduler

if TYPE_CHECKING:
    from localaws.gateway.gateway import Gateway

RESOURCE_MODULES = (
    sagemaker_resources,
    codecommit,
    codeconnections,
    codebuild,
    codepipeline,
    cloudformation_types,
    cloudformation_containers,
    cloudformation_ec2,
    cloudformation_kms,
    cloudformation_monitoring,
    lambda_functions,
    scheduler,
)


def install(account: Account, gateway: "Gateway") -> None:
    """Creates the services of an account, with their routes and CloudFormation types."""
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
    for module in RESOURCE_MODULES:
        for resource in module.RESOURCES:
            cloudformation.register(resource)
    gateway.routes[PREFIX] = GitApplication(account)
    gateway.routes[custom_resource.RESPONSE_PREFIX] = custom_resource.receive
    # Single operations of services that are moto's otherwise.
    gateway.operations["lambda", "Invoke"] = lambda_functions.answer_invoke
    cloudwatch.install(account, gateway)
    autoscaling.install(gateway)
    events.listen(account)
    scheduler.listen(account)
    triggers = GitTriggers(account)
    triggers.listen()
    gateway.routes[ConnectPage.path] = ConnectPage(account, triggers)
    gateway.routes["/_localaws/status"] = StatusPage(account, stacks)
    gateway.observers["events", "PutEvents"] = publish_entries


class StatusPage:
    """What `python -m localaws status` shows."""

    def __init__(self, account: Account, cloudformation_service: CloudFormation) -> None:
        self._account = account
        self._cloudformation = cloudformation_service

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        report = {
            "processes": self._account.processes.running(),
            "stacks": [(stack.name, stack.status) for stack in self._cloudformation.stacks()],
        }
        return Response(json.dumps(report), mimetype="application/json")(environ, start_response)


def publish_entries(account: Account, request: Json) -> None:
    """Shows the events of a PutEvents request to the rules whose targets are our own."""
    for entry in request["Entries"]:
        if entry.get("EventBusName", "default").rpartition("/")[2] == "default":
            account.publish_event(
                source=entry["Source"],
                detail_type=entry["DetailType"],
                detail=json.loads(entry["Detail"]),
                resources=entry.get("Resources", []),
            )
