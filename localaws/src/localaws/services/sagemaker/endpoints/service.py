"""Endpoints: created, updated without a gap, deleted."""

import threading

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now, pick, sorted_page
from localaws.core.validation import refuse_members
from localaws.services.sagemaker.endpoints.deployment import Deployment
from localaws.services.sagemaker.endpoints.deployment_config import read_rollout
from localaws.services.sagemaker.endpoints.endpoint import Endpoint
from localaws.services.sagemaker.endpoints.models import EndpointConfigs, Models
from localaws.services.sagemaker.endpoints.rollback_alarms import RollbackAlarms
from localaws.services.sagemaker.endpoints.scalable_targets import deregister_endpoint, scalable_variants
from localaws.services.sagemaker.endpoints.variant import Variant
from localaws.services.sagemaker.quotas import ENDPOINT, SERVERLESS_CONCURRENCY, Use, instances
from localaws.services.sagemaker.shared import Shared

CREATE_MEMBERS = {"EndpointName", "EndpointConfigName", "DeploymentConfig", "Tags"}
UPDATE_MEMBERS = {
    "EndpointName",
    "EndpointConfigName",
    "RetainAllVariantProperties",
    "DeploymentConfig",
    "RetainDeploymentConfig",
}
IN_PROGRESS = ("Creating", "Updating", "Deleting")


class Endpoints:
    """The operations."""

    def __init__(self, shared: Shared, models: Models, configs: EndpointConfigs) -> None:
        self._shared = shared
        self._models = models
        self._configs = configs
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        shared.quotas.counted.append(
            lambda: [use for endpoint in list(self._endpoints.values()) for use in _uses(endpoint)]
        )

    def create_endpoint(self, request: Json) -> Json:
        refuse_members(request, CREATE_MEMBERS, "CreateEndpoint")
        name = request["EndpointName"]
        arn = self._arn(name)
        variant = self._variant(name, request["EndpointConfigName"])
        config = request.get("DeploymentConfig")
        _refuse_serverless(config, variant)
        read_rollout(config, variant.instance_count)
        self._shared.quotas.require(_use(variant))
        with self._lock:
            if name in self._endpoints:
                raise ServiceError("ValidationException", f'Cannot create already existing endpoint "{arn}".')
            endpoint = self._endpoints[name] = Endpoint(name, arn, request["EndpointConfigName"])
        endpoint.deployment_config = config
        self._shared.tags.set(arn, request.get("Tags", []))
        self._deployment(endpoint, variant, None).start()
        return {"EndpointArn": arn}

    def update_endpoint(self, request: Json) -> Json:
        refuse_members(request, UPDATE_MEMBERS, "UpdateEndpoint")
        endpoint = self.get(request["EndpointName"])
        arn = endpoint.description["EndpointArn"]
        variant = self._variant(endpoint.name, request["EndpointConfigName"])
        config = _deployment_config(request, endpoint)
        with endpoint.lock:
            if endpoint.status in IN_PROGRESS:
                raise ServiceError("ValidationException", f'Cannot update in-progress endpoint "{arn}".')
            if endpoint.variant is None:
                raise ServiceError("ValidationException", f'Cannot update failed endpoint "{arn}".')
            _check_guarded_update(config, endpoint.variant, variant)
            self._check_scalable_targets(endpoint.name, endpoint.variant, variant)
            deployment = self._deployment(endpoint, variant, config)
            self._shared.quotas.require(_additional_use(endpoint.variant, variant))
            endpoint.description |= {"EndpointStatus": "Updating", "LastModifiedTime": now()}
            endpoint.description.pop("FailureReason", None)
            endpoint.deployment_config = config
        deployment.start()
        return {"EndpointArn": arn}

    def delete_endpoint(self, request: Json) -> Json:
        endpoint = self.get(request["EndpointName"])
        with endpoint.lock:
            if endpoint.status in IN_PROGRESS:
                arn = endpoint.description["EndpointArn"]
                raise ServiceError("ValidationException", f'Cannot update in-progress endpoint "{arn}".')
            endpoint.description["EndpointStatus"] = "Deleting"
            variants = _variants(endpoint)
            endpoint.variant = None
        for variant in variants:
            variant.deliver_captured()
            variant.close()
        with self._lock:
            self._endpoints.pop(endpoint.name, None)
        deregister_endpoint(self._shared.account.region, endpoint.name)
        self._shared.tags.forget(endpoint.description["EndpointArn"])
        return {}

    def describe_endpoint(self, request: Json) -> Json:
        return self.get(request["EndpointName"]).describe()

    def list_endpoints(self, request: Json) -> Json:
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        summaries = [pick(item.describe(), *members) for item in list(self._endpoints.values())]
        return sorted_page(
            request, summaries, member="Endpoints", name="EndpointName", status="EndpointStatus"
        )

    def get(self, name: str) -> Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise ServiceError("ValidationException", f'Could not find endpoint "{self._arn(name)}".')
        return endpoint

    def serving(self, name: str) -> Variant | None:
        """The variant that answers the endpoint's next request; None when no such endpoint is in service."""
        endpoint = self._endpoints.get(name)
        return endpoint.pick() if endpoint else None

    def close(self) -> None:
        for endpoint in list(self._endpoints.values()):
            for variant in _variants(endpoint):
                variant.close()

    def _variant(self, endpoint: str, config_name: str) -> Variant:
        config = self._configs.get(config_name)
        model = self._models.get(config["ProductionVariants"][0]["ModelName"])
        return Variant(self._shared.host, endpoint=endpoint, config=config, model=model)

    def _deployment(self, endpoint: Endpoint, variant: Variant, config: Json | None) -> Deployment:
        account = self._shared.account
        rollout = read_rollout(config, variant.instance_count)
        alarms = RollbackAlarms(account, variant.role_arn, rollout.alarms)
        alarms.check()
        return Deployment(account, endpoint, variant, rollout, alarms)

    def _check_scalable_targets(self, endpoint: str, before: Variant, after: Variant) -> None:
        """Refuse to change a variant that scales.

        Source: https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html .
        """
        registered = scalable_variants(self._shared.account.region, endpoint)
        if before.name in registered and (before.name, before.instance_type) != (
            after.name,
            after.instance_type,
        ):
            raise ServiceError(
                "ValidationException",
                f'The variant(s) "[{before.name}]" must be deregistered as a scalable target with AutoScaling before '
                "they can be removed or have their instance type updated.",
            )

    def _arn(self, name: str) -> str:
        return self._shared.account.arn("sagemaker", f"endpoint/{name}")


def _deployment_config(request: Json, endpoint: Endpoint) -> Json | None:
    """The request's deployment policy, or the last one where it asks for that; else AWS drops it."""
    given: Json | None = request.get("DeploymentConfig")
    if given is not None and request.get("RetainDeploymentConfig"):
        raise ServiceError(
            "ValidationException", "DeploymentConfig and RetainDeploymentConfig cannot be given together."
        )
    return endpoint.deployment_config if request.get("RetainDeploymentConfig") else given


def _check_guarded_update(config: Json | None, before: Variant, after: Variant) -> None:
    if config is None:
        return
    _refuse_serverless(config, before)
    _refuse_serverless(config, after)
    if before.name != after.name:
        raise ServiceError(
            "ValidationException",
            "With a DeploymentConfig the new endpoint configuration must have the same variant name as the old "
            f'one: "{before.name}", got "{after.name}".',
        )


def _refuse_serverless(config: Json | None, variant: Variant) -> None:
    if config is not None and variant.serverless:
        raise ServiceError(
            "ValidationException", "DeploymentConfig is not supported for serverless inference endpoints."
        )


def _use(variant: Variant) -> Use:
    if variant.serverless:
        return SERVERLESS_CONCURRENCY, variant.serverless["MaxConcurrency"]
    return instances(variant.instance_type, ENDPOINT, variant.instance_count)


def _uses(endpoint: Endpoint) -> list[Use]:
    uses = [_use(variant) for variant in _variants(endpoint)]
    serverless = bool(endpoint.variant and endpoint.variant.serverless)
    return [max(uses)] if serverless else uses


def _additional_use(before: Variant, after: Variant) -> Use:
    """An update runs both fleets of instances; a serverless endpoint moves what it has."""
    name, count = _use(after)
    return name, count - _use(before)[1] if before.serverless and after.serverless else count


def _variants(endpoint: Endpoint) -> list[Variant]:
    pending = endpoint.pending
    found = [endpoint.variant, pending.variant if pending else None]
    return [variant for variant in found if variant is not None]
