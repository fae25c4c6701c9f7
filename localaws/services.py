"""The one list of what the local AWS implements itself; everything else is moto's."""

from typing import TYPE_CHECKING

from localaws import cloudformation, codebuild, codecommit, codepipeline, events
from localaws.account import Account
from localaws.codebuild import CodeBuild
from localaws.codecommit import CodeCommit
from localaws.codepipeline import CodePipeline
from localaws.git_http import PREFIX, GitApplication
from localaws.sagemaker import resources as sagemaker_resources
from localaws.sagemaker.runtime import SageMakerRuntime
from localaws.sagemaker.service import SageMaker

if TYPE_CHECKING:
    from localaws.gateway import Gateway

RESOURCE_MODULES = (sagemaker_resources, codecommit, codebuild, codepipeline)


def install(account: Account, gateway: "Gateway") -> None:
    """Creates the services of an account, with their routes and CloudFormation types."""
    sagemaker = SageMaker(account)
    runtime = SageMakerRuntime(account, sagemaker)
    for service in (sagemaker, runtime, CodeCommit(account), CodeBuild(account), CodePipeline(account)):
        account.services[service.name] = service
    for module in RESOURCE_MODULES:
        for resource in module.RESOURCES:
            cloudformation.register(resource)
    gateway.routes[PREFIX] = GitApplication(account)
    events.listen(account)
