"""Groups of SageMaker's own model registry, which are made and deleted; packages in them are not supported."""

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now, pick, sorted_page
from localaws.services.sagemaker.shared import Shared


class ModelPackageGroups:
    """The operations on model package groups."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._groups: dict[str, Json] = {}

    def create_model_package_group(self, request: Json) -> Json:
        name = request["ModelPackageGroupName"]
        arn = self._arn(name)
        if name in self._groups:
            raise ServiceError("ValidationException", f"Model Package Group already exists: {arn}")
        self._groups[name] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": arn,
            "CreationTime": now(),
            "ModelPackageGroupStatus": "Completed",
        }
        self._shared.tags.set(arn, request.get("Tags", []))
        return {"ModelPackageGroupArn": arn}

    def describe_model_package_group(self, request: Json) -> Json:
        return {**self._get(request["ModelPackageGroupName"]), "CreatedBy": {}}

    def delete_model_package_group(self, request: Json) -> Json:
        group = self._get(request["ModelPackageGroupName"])
        del self._groups[group["ModelPackageGroupName"]]
        self._shared.tags.forget(group["ModelPackageGroupArn"])
        return {}

    def list_model_package_groups(self, request: Json) -> Json:
        members = (
            "ModelPackageGroupName",
            "ModelPackageGroupArn",
            "ModelPackageGroupDescription",
            "CreationTime",
            "ModelPackageGroupStatus",
        )
        summaries = [pick(group, *members) for group in list(self._groups.values())]
        return sorted_page(
            request, summaries, member="ModelPackageGroupSummaryList", name="ModelPackageGroupName"
        )

    def list_model_packages(self, request: Json) -> Json:
        """An empty list: nothing here makes model packages."""
        if "ModelPackageGroupName" in request:
            self._get(request["ModelPackageGroupName"])
        return {"ModelPackageSummaryList": []}

    def _get(self, name: str) -> Json:
        """The group of a name or an ARN."""
        group = self._groups.get(name.rpartition("/")[2])
        if group is None:
            raise ServiceError("ValidationException", f"ModelPackageGroup {self._arn(name)} does not exist.")
        return group

    def _arn(self, name: str) -> str:
        return self._shared.account.arn("sagemaker", f"model-package-group/{name}")
