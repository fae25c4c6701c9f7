"""The SageMaker API: each group of operations has a module of its own."""

from typing import Any, ClassVar

from botocore import xform_name

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Caller
from localaws.core.request_validation import service_model, validate_request
from localaws.core.service import Service
from localaws.services.sagemaker.endpoints.model_packages import ModelPackageGroups
from localaws.services.sagemaker.endpoints.models import EndpointConfigs, Models
from localaws.services.sagemaker.endpoints.service import Endpoints
from localaws.services.sagemaker.jobs.processing import Processing
from localaws.services.sagemaker.jobs.training import Training
from localaws.services.sagemaker.jobs.transform import Transform
from localaws.services.sagemaker.jobs.tuning import Tuning
from localaws.services.sagemaker.mlflow.app import EmptyDatabase, MlflowApps
from localaws.services.sagemaker.mlflow.tracking_server import MlflowTrackingServers
from localaws.services.sagemaker.pipelines.service import Pipelines
from localaws.services.sagemaker.shared import Shared

__all__ = ["SageMaker"]


class SageMaker(Service):
    """State in the API's own shapes, in memory: a new local AWS starts empty."""

    name: ClassVar[str] = "sagemaker"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.shared = shared = Shared(account)
        self.processing = Processing(shared)
        self.training = Training(shared)
        self.tuning = Tuning(shared, self.training)
        self.models = Models(shared)
        self.transform = Transform(shared, self.models)
        self.pipelines = Pipelines(shared, self.wait_for_job)
        self.model_package_groups = ModelPackageGroups(shared)
        self.endpoint_configs = EndpointConfigs(shared, self.models)
        self.endpoints = Endpoints(shared, self.models, self.endpoint_configs)
        database = EmptyDatabase(account)
        self.mlflow_apps = MlflowApps(shared, database)
        self.mlflow_tracking_servers = MlflowTrackingServers(shared, database)
        self._groups = (
            shared.tags,
            self.pipelines,
            self.processing,
            self.training,
            self.tuning,
            self.transform,
            self.models,
            self.model_package_groups,
            self.endpoint_configs,
            self.endpoints,
            self.mlflow_apps,
            self.mlflow_tracking_servers,
        )

    def call(self, operation: str, request: Json, caller: Caller) -> Json:
        method = self._method(operation)
        validate_request(self.name, operation, request)
        self.shared.called_by(caller)
        response: Json = method(request)
        return response

    def mlflow_url(self, arn: str) -> str:
        """The address of the app or tracking server; waits until it listens. ServiceError when it does not exist."""
        if ":mlflow-tracking-server/" in arn:
            return self.mlflow_tracking_servers.url(arn.rpartition("/")[2])
        return self.mlflow_apps.url(arn)

    def wait_for_job(self, arn: str) -> None:
        """Return when the job has ended, however it did."""
        resource, _, name = arn.partition(f":{arn.split(':')[4]}:")[2].partition("/")
        tables: dict[str, Any] = {
            "processing-job": self.processing,
            "training-job": self.training,
            "transform-job": self.transform,
        }
        group = tables.get(resource, self.tuning)
        group.table.get(name).finished.wait()

    def close(self) -> None:
        self.endpoints.close()
        self.mlflow_apps.close()
        self.mlflow_tracking_servers.close()
        self.shared.host.close()

    def _method(self, operation: str) -> Any:
        name = xform_name(operation)
        for group in self._groups:
            if operation in service_model(self.name).operation_names and hasattr(group, name):
                return getattr(group, name)
        raise ServiceError(
            "UnsupportedOperation", f"The local AWS does not support {self.name}:{operation}.", 501
        )
