"""Endpoints: created, updated without a gap, deleted."""

import logging
import threading
from typing import TYPE_CHECKING

from localaws.sagemaker.jobs import refuse_members
from localaws.sagemaker.listing import now, page, pick
from localaws.sagemaker.variant import LaunchFailed, Variant
from localaws.service import Json, ServiceError

if TYPE_CHECKING:
    from localaws.sagemaker.service import SageMaker

LOG = logging.getLogger("localaws.sagemaker")
UPDATE_MEMBERS = {"EndpointName", "EndpointConfigName", "RetainAllVariantProperties"}
IN_PROGRESS = ("Creating", "Updating", "Deleting")


class Endpoint:
    """One endpoint; `description` and `variant` change under `lock` only."""

    def __init__(self, name: str, arn: str, config_name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.variant: Variant | None = None  # what answers; None until the first is in service
        self.launching: Variant | None = None
        self.description: Json = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config_name,
            "EndpointStatus": "Creating",
            "CreationTime": now(),
            "LastModifiedTime": now(),
        }

    @property
    def status(self) -> str:
        value: str = self.description["EndpointStatus"]
        return value

    def describe(self) -> Json:
        with self.lock:
            described = dict(self.description)
            if self.variant is not None:
                described["ProductionVariants"] = [_variant_summary(self.variant)]
        return described


class Endpoints:
    """The operations."""

    def __init__(self, sagemaker: "SageMaker") -> None:
        self._sagemaker = sagemaker
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}

    def create_endpoint(self, request: Json) -> Json:
        refuse_members(request, {"EndpointName", "EndpointConfigName", "Tags"}, "CreateEndpoint")
        name = request["EndpointName"]
        arn = self._arn(name)
        variant = self._variant(name, request["EndpointConfigName"])
        with self._lock:
            if name in self._endpoints:
                raise ServiceError("ValidationException", f'Cannot create already existing endpoint "{arn}".')
            endpoint = self._endpoints[name] = Endpoint(name, arn, request["EndpointConfigName"])
        self._sagemaker.tags.set(arn, request.get("Tags", []))
        self._deploy(endpoint, variant)
        return {"EndpointArn": arn}

    def update_endpoint(self, request: Json) -> Json:
        refuse_members(request, UPDATE_MEMBERS, "UpdateEndpoint")
        endpoint = self.get(request["EndpointName"])
        arn = endpoint.description["EndpointArn"]
        variant = self._variant(endpoint.name, request["EndpointConfigName"])
        with endpoint.lock:
            if endpoint.status in IN_PROGRESS:
                raise ServiceError("ValidationException", f'Cannot update in-progress endpoint "{arn}".')
            if endpoint.variant is None:
                raise ServiceError("ValidationException", f'Cannot update failed endpoint "{arn}".')
            endpoint.description |= {"EndpointStatus": "Updating", "LastModifiedTime": now()}
            endpoint.description.pop("FailureReason", None)
        self._deploy(endpoint, variant)
        return {"EndpointArn": arn}

    def delete_endpoint(self, request: Json) -> Json:
        endpoint = self.get(request["EndpointName"])
        with self._lock:
            self._endpoints.pop(endpoint.name, None)
        with endpoint.lock:
            endpoint.description["EndpointStatus"] = "Deleting"
            variants = [item for item in (endpoint.variant, endpoint.launching) if item is not None]
            endpoint.variant = None
        for variant in variants:
            variant.close()
        self._sagemaker.tags.forget(endpoint.description["EndpointArn"])
        return {}

    def describe_endpoint(self, request: Json) -> Json:
        return self.get(request["EndpointName"]).describe()

    def list_endpoints(self, request: Json) -> Json:
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        summaries = [pick(item.describe(), *members) for item in list(self._endpoints.values())]
        return page(request, summaries, member="Endpoints", name="EndpointName", status="EndpointStatus")

    def get(self, name: str) -> Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise ServiceError("ValidationException", f'Could not find endpoint "{self._arn(name)}".')
        return endpoint

    def serving(self, name: str) -> Variant | None:
        """What answers for the endpoint now; None when there is no such endpoint in service."""
        endpoint = self._endpoints.get(name)
        return endpoint.variant if endpoint else None

    def close(self) -> None:
        for endpoint in list(self._endpoints.values()):
            for variant in (endpoint.variant, endpoint.launching):
                if variant is not None:
                    variant.close()

    def _variant(self, endpoint: str, config_name: str) -> Variant:
        config = self._sagemaker.endpoint_configs.get(config_name)
        model = self._sagemaker.models.get(config["ProductionVariants"][0]["ModelName"])
        return Variant(self._sagemaker.host, endpoint=endpoint, config=config, model=model)

    def _deploy(self, endpoint: Endpoint, variant: Variant) -> None:
        endpoint.launching = variant
        threading.Thread(target=self._launch, args=(endpoint, variant), daemon=True).start()

    def _launch(self, endpoint: Endpoint, variant: Variant) -> None:
        """Starts the variant, turns the traffic over to it at once, then ends the one before."""
        reason = ""
        try:
            variant.launch()
        except LaunchFailed as failed:
            reason = str(failed)
        except Exception as error:  # a fault of the local AWS: shown, and the endpoint still settles
            LOG.exception("a fault of the local AWS itself")
            reason = f"InternalServerError: {error!r}"
        with endpoint.lock:
            endpoint.launching = None
            before = endpoint.variant
            if endpoint.status == "Deleting":
                retired: Variant | None = variant
            elif reason:
                retired = None
                endpoint.description["FailureReason"] = reason
                endpoint.description["EndpointStatus"] = "InService" if before else "Failed"
            else:
                retired, endpoint.variant = before, variant
                endpoint.description["EndpointStatus"] = "InService"
                endpoint.description["EndpointConfigName"] = variant.config_name
            endpoint.description["LastModifiedTime"] = now()
        if retired is not None:
            retired.retire()
        self._publish(endpoint)

    def _publish(self, endpoint: Endpoint) -> None:
        described = endpoint.describe()
        self._sagemaker.account.publish_event(
            source="aws.sagemaker",
            detail_type="SageMaker Endpoint State Change",
            detail=pick(described, "EndpointName", "EndpointArn", "EndpointConfigName")
            | {"EndpointStatus": described["EndpointStatus"].upper().replace("INSERVICE", "IN_SERVICE")},
            resources=[described["EndpointArn"]],
        )

    def _arn(self, name: str) -> str:
        return self._sagemaker.account.arn("sagemaker", f"endpoint/{name}")


def _variant_summary(variant: Variant) -> Json:
    weight = variant.description.get("InitialVariantWeight", 1.0)
    summary: Json = {
        "VariantName": variant.name,
        "DeployedImages": [
            {
                "SpecifiedImage": variant.image,
                "ResolvedImage": variant.image,
                "ResolutionTime": variant.launched,
            }
        ],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    if variant.serverless:
        return summary | {
            "CurrentInstanceCount": 0,
            "CurrentServerlessConfig": variant.serverless,
        }
    count = variant.description["InitialInstanceCount"]
    return summary | {"CurrentInstanceCount": count, "DesiredInstanceCount": count}
