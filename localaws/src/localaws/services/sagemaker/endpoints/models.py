"""Models and endpoint configurations: what an endpoint is made of."""

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now, pick, sorted_page
from localaws.core.validation import refuse_members, refuse_values
from localaws.services.sagemaker.images import check_image
from localaws.services.sagemaker.shared import Shared

MODEL_MEMBERS = {
    *("ModelName", "PrimaryContainer", "ExecutionRoleArn", "Tags", "EnableNetworkIsolation", "VpcConfig"),
}
CONTAINER_MEMBERS = {"Image", "Mode", "ModelDataUrl", "ModelDataSource", "Environment", "ContainerHostname"}
# Which serverless endpoints do not have: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
INSTANCE_CONFIG_MEMBERS = {"DataCaptureConfig", "KmsKeyId"}
CONFIG_MEMBERS = {
    *("EndpointConfigName", "ProductionVariants", "Tags", "EnableNetworkIsolation", *INSTANCE_CONFIG_MEMBERS),
}
VARIANT_MEMBERS = {
    "VariantName",
    "ModelName",
    "InitialInstanceCount",
    "InstanceType",
    "InitialVariantWeight",
    "ServerlessConfig",
    "VolumeSizeInGB",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
}
SERVERLESS_MEMORY_MB = tuple(range(1024, 6145, 1024))


class Models:
    """The operations on models."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._models: dict[str, Json] = {}

    def create_model(self, request: Json) -> Json:
        name = request["ModelName"]
        arn = self._arn(name)
        _check_model(request)
        if name in self._models:
            raise ServiceError("ValidationException", f'Cannot create already existing model "{arn}".')
        described = {key: value for key, value in request.items() if key != "Tags"}
        self._models[name] = {**described, "ModelArn": arn, "CreationTime": now()}
        self._shared.tags.set(arn, request.get("Tags", []))
        return {"ModelArn": arn}

    def describe_model(self, request: Json) -> Json:
        return dict(self.get(request["ModelName"]))

    def delete_model(self, request: Json) -> Json:
        model = self.get(request["ModelName"])
        del self._models[model["ModelName"]]
        self._shared.tags.forget(model["ModelArn"])
        return {}

    def list_models(self, request: Json) -> Json:
        summaries = [
            pick(item, "ModelName", "ModelArn", "CreationTime") for item in list(self._models.values())
        ]
        return sorted_page(request, summaries, member="Models", name="ModelName")

    def get(self, name: str) -> Json:
        model = self._models.get(name)
        if model is None:
            raise ServiceError("ValidationException", f'Could not find model "{self._arn(name)}".')
        return model

    def _arn(self, name: str) -> str:
        return self._shared.account.arn("sagemaker", f"model/{name}")


class EndpointConfigs:
    """The operations on endpoint configurations."""

    def __init__(self, shared: Shared, models: Models) -> None:
        self._shared = shared
        self._models = models
        self._configs: dict[str, Json] = {}

    def create_endpoint_config(self, request: Json) -> Json:
        name = request["EndpointConfigName"]
        arn = self._arn(name)
        self._check(request)
        if name in self._configs:
            raise ServiceError(
                "ValidationException", f'Cannot create already existing endpoint configuration "{arn}".'
            )
        described = {key: value for key, value in request.items() if key != "Tags"}
        self._configs[name] = {**described, "EndpointConfigArn": arn, "CreationTime": now()}
        self._shared.tags.set(arn, request.get("Tags", []))
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, request: Json) -> Json:
        return dict(self.get(request["EndpointConfigName"]))

    def delete_endpoint_config(self, request: Json) -> Json:
        config = self.get(request["EndpointConfigName"])
        del self._configs[config["EndpointConfigName"]]
        self._shared.tags.forget(config["EndpointConfigArn"])
        return {}

    def list_endpoint_configs(self, request: Json) -> Json:
        members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        summaries = [pick(item, *members) for item in list(self._configs.values())]
        return sorted_page(request, summaries, member="EndpointConfigs", name="EndpointConfigName")

    def volume_key(self, name: str) -> str | None:
        """The ARN of the key of a configuration; None without one, or without such a configuration."""
        key: str | None = self._configs.get(name, {}).get("KmsKeyId")
        if key is None or key.startswith("arn:"):
            return key
        kind = "" if key.startswith("alias/") else "key/"
        return self._shared.account.arn("kms", f"{kind}{key}")

    def get(self, name: str) -> Json:
        config = self._configs.get(name)
        if config is None:
            raise ServiceError(
                "ValidationException", f'Could not find endpoint configuration "{self._arn(name)}".'
            )
        return config

    def _arn(self, name: str) -> str:
        return self._shared.account.arn("sagemaker", f"endpoint-config/{name}")

    def _check(self, request: Json) -> None:
        refuse_members(request, CONFIG_MEMBERS, "CreateEndpointConfig")
        variants = request["ProductionVariants"]
        if len(variants) != 1:
            raise ServiceError(
                "ValidationException", f"The local AWS supports one ProductionVariant; got {len(variants)}."
            )
        (variant,) = variants
        refuse_members(variant, VARIANT_MEMBERS, "ProductionVariants")
        if "ModelName" not in variant:
            raise ServiceError("ValidationException", "ModelName of a production variant must be given.")
        model = self._models.get(variant["ModelName"])
        serverless = variant.get("ServerlessConfig")
        by_instance = "InstanceType" in variant and "InitialInstanceCount" in variant
        if (serverless is None) != by_instance:
            raise ServiceError(
                "ValidationException",
                "A production variant needs either ServerlessConfig, or InstanceType and InitialInstanceCount.",
            )
        if serverless is not None:
            refuse_members(serverless, {"MemorySizeInMB", "MaxConcurrency"}, "ServerlessConfig")
            _refuse_for_serverless(request, model)
            if serverless["MemorySizeInMB"] not in SERVERLESS_MEMORY_MB:
                raise ServiceError(
                    "ValidationException",
                    f"MemorySizeInMB must be one of {', '.join(map(str, SERVERLESS_MEMORY_MB))}, "
                    f"got {serverless['MemorySizeInMB']}.",
                )


def _refuse_for_serverless(request: Json, model: Json) -> None:
    unsupported = sorted(request.keys() & INSTANCE_CONFIG_MEMBERS)
    unsupported += [
        f"{member} (of the model {model['ModelName']})"
        for member in ("EnableNetworkIsolation", "VpcConfig")
        if model.get(member)
    ]
    if unsupported:
        raise ServiceError(
            "ValidationException", f"Serverless endpoints do not support {', '.join(unsupported)}."
        )


def _check_model(request: Json) -> None:
    refuse_members(request, MODEL_MEMBERS, "CreateModel")
    for member in ("PrimaryContainer", "ExecutionRoleArn"):
        if member not in request:
            raise ServiceError("ValidationException", f"{member} must be given.")
    container = request["PrimaryContainer"]
    refuse_members(container, CONTAINER_MEMBERS, "PrimaryContainer")
    if "Image" not in container:
        raise ServiceError("ValidationException", "PrimaryContainer.Image must be given.")
    check_image(container["Image"])
    # A container that serves has no network here, with isolation or without.
    refuse_values({"Mode": (container.get("Mode"), ("SingleModel",))})
    if source := container.get("ModelDataSource"):
        refuse_values({"CompressionType": (source["S3DataSource"]["CompressionType"], ("Gzip",))})
