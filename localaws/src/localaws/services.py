"""The one list of what the local AWS implements itself; everything else is moto's."""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from localaws import (
    autoscaling,
    cloudformation,
    cloudformation_containers,
    cloudformation_ec2,
    cloudformation_kms,
    cloudformation_monitoring,
    cloudformation_types,
    cloudwatch,
    codebuild,
    codecommit,
    codeconnections,
    codepipeline,
    custom_resource,
    events,
    lambda_functions,
    scheduler,
)
from localaws.account import Account
from localaws.cloudformation_service import CloudFormation
from localaws.codebuild import CodeBuild
from localaws.codecommit import CodeCommit
from localaws.codeconnections import CodeConnections
from localaws.codepipeline import CodePipeline
from localaws.connect import ConnectPage
from localaws.git_http import PREFIX, GitApplication
from localaws.git_triggers import GitTriggers
from localaws.sagemaker import resources as sagemaker_resources
from localaws.sagemaker.runtime import SageMakerRuntime
from localaws.sagemaker.service import SageMaker
from localaws.service import Json

if TYPE_CHECKING:
    from localaws.gateway import Gateway

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
