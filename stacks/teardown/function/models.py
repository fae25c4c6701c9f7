"""Endpoints, their configurations, models, and model packages: what runs of the factory made in SageMaker."""

from functools import partial
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import TeardownProperty
from stacks.teardown.function.calls import pages, snake, unless_missing, unless_settled
from stacks.teardown.function.deadline import Deadline
from stacks.teardown.function.ownership import is_own

# SageMaker refuses to delete what it is creating or updating.
_BUSY = ("Creating", "Updating", "RollingBack", "Deleting")


class Models:
    def __init__(self, names: dict[str, Any], deadline: Deadline) -> None:
        self.names = names
        self.deadline = deadline
        self.sagemaker = boto3.client("sagemaker")

    def delete_endpoints(self) -> None:
        for name in self.names.get(TeardownProperty.ENDPOINT_NAMES, []):
            self.deadline.wait(partial(self.is_gone, name), f"endpoint {name} to be deleted")

    def is_gone(self, endpoint_name: str) -> bool:
        endpoint = unless_missing(self.sagemaker.describe_endpoint, EndpointName=endpoint_name)
        if endpoint is None:
            return True
        if not is_own(self.sagemaker, self.names, endpoint["EndpointArn"]):
            print("left alone, without the factory's tag:", endpoint_name)
            return True
        if endpoint["EndpointStatus"] not in _BUSY:
            print("deleting endpoint", endpoint_name)
            unless_settled(self.sagemaker.delete_endpoint, EndpointName=endpoint_name)
        return False

    def delete_configs_and_models(self) -> None:
        for name in self.names.get(TeardownProperty.ENDPOINT_NAMES, []):
            self.delete_own("EndpointConfig", f"{name}-")
            self.delete_own("Model", f"{name}-")
        # Of transform jobs, which have no configuration.
        for prefix in self.names.get(TeardownProperty.BATCH_PREFIXES, []):
            self.delete_own("Model", prefix)

    def delete_own(self, kind: str, prefix: str) -> None:
        delete = getattr(self.sagemaker, f"delete_{snake(kind)}")
        for name, arn in self.listed(kind, prefix):
            if name.startswith(prefix) and is_own(self.sagemaker, self.names, arn):
                print("deleting", kind, name)
                try:
                    unless_missing(delete, **{f"{kind}Name": name})
                except ClientError:
                    # By an attempt whose answer was lost it is gone, and with it the tag that allows the next attempt.
                    if (name, arn) in self.listed(kind, name):
                        raise

    def listed(self, kind: str, part: str) -> list[tuple[str, str]]:
        """Names and ARNs of the account's, with `part` in their name."""
        found = pages(self.sagemaker, f"list_{snake(kind)}s", f"{kind}s", NameContains=part)
        return [(item[f"{kind}Name"], item[f"{kind}Arn"]) for item in found]

    def delete_model_package_groups(self) -> None:
        """The factory makes none: they are of steps that a team added, or of MLflow's synchronisation."""
        if not (factory := self.names.get(TeardownProperty.PACKAGE_GROUPS)):
            return
        groups = pages(
            self.sagemaker,
            "list_model_package_groups",
            "ModelPackageGroupSummaryList",
            NameContains=factory,
        )
        for group in groups:
            name, arn = group["ModelPackageGroupName"], group["ModelPackageGroupArn"]
            has_name = name == factory or name.startswith(f"{factory}-")
            if has_name and is_own(self.sagemaker, self.names, arn):
                print("deleting model package group", name)
                self.delete_model_packages(name)
                unless_missing(self.sagemaker.delete_model_package_group, ModelPackageGroupName=name)

    def delete_model_packages(self, group: str) -> None:
        packages = pages(
            self.sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=group
        )
        for package in packages:
            unless_missing(self.sagemaker.delete_model_package, ModelPackageName=package["ModelPackageArn"])
            self.deadline.check(f"model packages of {group} to be deleted")
