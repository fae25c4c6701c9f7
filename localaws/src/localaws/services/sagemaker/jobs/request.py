"""What a job's request says of its image, keys and networks."""

from typing import Any

from localaws.core.errors import Json


def image_uri(request: Json) -> str | None:
    """Of a processing or training job; a transform job has its model's."""
    found: str | None = request.get("AppSpecification", {}).get("ImageUri") or request.get(
        "AlgorithmSpecification", {}
    ).get("TrainingImage")
    return found


def volume_key(request: Json) -> str | None:
    """Of a processing, training or transform job."""
    cluster = (
        request.get("ProcessingResources", {}).get("ClusterConfig")
        or request.get("TransformResources")
        or request.get("ResourceConfig", {})
    )
    key: str | None = cluster.get("VolumeKmsKeyId")
    return key


def output_encryption(request: Json) -> dict[str, Any]:
    """How a job writes to S3: with the key that it was given."""
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
