"""MLflow tracking servers: the operations, and what IAM calls the calls of MLflow's own API."""

import re
from collections.abc import Iterator
from functools import cache

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import pick, sorted_page
from localaws.core.validation import refuse_members
from localaws.services.sagemaker.mlflow.app import EmptyDatabase, MlflowServer
from localaws.services.sagemaker.shared import Shared

CREATE_MEMBERS = {
    *(
        "TrackingServerName",
        "ArtifactStoreUri",
        "TrackingServerSize",
        "RoleArn",
        "AutomaticModelRegistration",
    ),
    "Tags",
}
# IAM's actions are called as the messages of MLflow's API are, but for these.
RENAMED = {
    "GetLatestVersions": "GetLatestModelVersions",
    "GetModelVersionDownloadUri": "GetDownloadURIForModelVersionArtifacts",
    "LogLoggedModelParamsRequest": "LogLoggedModelParams",
}


class MlflowTrackingServers:
    """The operations."""

    def __init__(self, shared: Shared, database: EmptyDatabase) -> None:
        self._shared = shared
        self._database = database
        self._servers: dict[str, MlflowServer] = {}

    def create_mlflow_tracking_server(self, request: Json) -> Json:
        refuse_members(request, CREATE_MEMBERS, "CreateMlflowTrackingServer")
        if request.get("AutomaticModelRegistration"):
            raise ServiceError(
                "ValidationException", "The local AWS does not support AutomaticModelRegistration."
            )
        name = request["TrackingServerName"]
        if name in self._servers:
            raise ServiceError("ConflictException", f"An MLflow tracking server named {name} already exists.")
        account = self._shared.account
        arn = account.arn("sagemaker", f"mlflow-tracking-server/{name}")
        description = {
            "TrackingServerSize": "Small",
            **{key: value for key, value in request.items() if key != "Tags"},
            "TrackingServerArn": arn,
            "IsActive": "Active",
        }
        self._servers[name] = MlflowServer(account, arn, description, self._database)
        self._shared.tags.set(arn, request.get("Tags", []))
        return {"TrackingServerArn": arn}

    def describe_mlflow_tracking_server(self, request: Json) -> Json:
        description = dict(self._server(request["TrackingServerName"]).description)
        description["TrackingServerStatus"] = description.pop("Status")
        return description

    def list_mlflow_tracking_servers(self, request: Json) -> Json:
        members = ("TrackingServerArn", "TrackingServerName", "CreationTime", "LastModifiedTime")
        summaries = [
            {
                **pick(server.description, *members, "MlflowVersion", "IsActive"),
                "TrackingServerStatus": server.description["Status"],
            }
            for server in list(self._servers.values())
        ]
        return sorted_page(
            request,
            summaries,
            member="TrackingServerSummaries",
            name="TrackingServerName",
            status="TrackingServerStatus",
        )

    def delete_mlflow_tracking_server(self, request: Json) -> Json:
        server = self._server(request["TrackingServerName"])
        del self._servers[request["TrackingServerName"]]
        server.close()
        self._shared.tags.forget(server.arn)
        return {"TrackingServerArn": server.arn}

    def create_presigned_mlflow_tracking_server_url(self, request: Json) -> Json:
        """The server's own address: it listens on this machine only."""
        return {"AuthorizedUrl": self.url(request["TrackingServerName"])}

    def url(self, name: str) -> str:
        return self._server(name).url()

    def close(self) -> None:
        for server in list(self._servers.values()):
            server.close()

    def _server(self, name: str) -> MlflowServer:
        server = self._servers.get(name)
        if server is None:
            raise ServiceError("ResourceNotFound", f"MLflow tracking server {name} does not exist.")
        return server


def iam_action(method: str, path: str) -> str:
    """The IAM action of a call of MLflow's API; ServiceError when there is no such call."""
    for pattern, its_method, name in _calls():
        if its_method == method and pattern.fullmatch(path):
            return f"sagemaker-mlflow:{name}"
    raise ServiceError(
        "UnsupportedOperation", f"The local AWS knows no permission for {method} {path} of MLflow's API.", 501
    )


@cache
def _calls() -> list[tuple[re.Pattern[str], str, str]]:
    """The calls of the API, those without a placeholder first: runs/search is no runs/{id}."""
    return sorted(_described_calls(), key=lambda call: "[^/]" in call[0].pattern)


def _described_calls() -> Iterator[tuple[re.Pattern[str], str, str]]:
    from mlflow.protos.model_registry_pb2 import ModelRegistryService  # takes seconds to import
    from mlflow.protos.service_pb2 import MlflowService
    from mlflow.utils.rest_utils import extract_all_api_info_for_service

    for service in (MlflowService, ModelRegistryService):
        for message, endpoints in extract_all_api_info_for_service(service, "").items():  # type: ignore[no-untyped-call]
            for path, method in endpoints:
                pattern = re.sub(r"\{[^}]*\}", "[^/]+", path)
                name = re.sub(r"V\d$", "", message.__name__)
                yield re.compile(rf"/(ajax-)?api/\d\.0{pattern}"), method, RENAMED.get(name, name)
