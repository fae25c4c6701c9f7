"""Image, keys and networks of a job's request."""

from typing import Any

from localaws.core.errors import Json


def image_uri(request: Json) -> str | None:
    """The image of a processing or training job; a transform job has its model's."""
    found: str | None = request.get("AppSpecification", {}).get("ImageUri") or request.get(
        "AlgorithmSpecification", {}
    ).get("TrainingImage")
    return found


def volume_key(request: Json) -> str | None:
    """The key of a processing, training or transform job's volumes."""
    key: str | None = _resources(request).get("VolumeKmsKeyId")
    return key


def instance_count(request: Json) -> int:
    """The number of hosts of a processing, training or transform job."""
    count: int = _resources(request)["InstanceCount"]
    return count


def _resources(request: Json) -> Json:
    resources: Json = (
        request.get("ProcessingResources", {}).get("ClusterConfig")
        or request.get("TransformResources")
        or request.get("ResourceConfig", {})
    )
    return resources


def output_encryption(request: Json) -> dict[str, Any]:
    """The encryption with which a job writes to S3: by the key that it was given."""
    members = ("ProcessingOutputConfig", "OutputDataConfig", "TransformOutput")
    output: Json = next((request[member] for member in members if request.get(member)), {})
    key = output.get("KmsKeyId")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}


def job_network(request: Json) -> Json | None:
    """VpcConfig of a processing or training job."""
    found: Json | None = request.get("NetworkConfig", {}).get("VpcConfig") or request.get("VpcConfig")
    return found


def network_isolated(request: Json) -> bool:
    """Whether the containers of a processing or training job may make no connections."""
    return bool(
        request.get("NetworkConfig", {}).get("EnableNetworkIsolation")
        or request.get("EnableNetworkIsolation")
    )
