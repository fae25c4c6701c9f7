"""Instance types with a disk of their own, which a job gets in the place of a volume."""

from moto.ec2.models.instance_types import INSTANCE_TYPES

from localaws.core.errors import Json, ServiceError


def check_volume(resources: Json) -> None:
    """Refuse a volume that is larger than the disk of the instance type, and a key for one."""
    instance_type = resources.get("InstanceType", "")
    info: Json = INSTANCE_TYPES.get(instance_type.removeprefix("ml."), {}).get("InstanceStorageInfo") or {}
    if not info:
        return
    size, asked = info["TotalSizeInGB"], resources.get("VolumeSizeInGB", 0)
    if asked > size:
        raise ServiceError(
            "ValidationException",
            f"VolumeSizeInGB {asked} is greater than the total size of the local instance storage of {instance_type}, {size}.",
        )
    if resources.get("VolumeKmsKeyId"):
        raise ServiceError(
            "ValidationException",
            f"VolumeKmsKeyId cannot be requested with {instance_type}, which has local instance storage.",
        )
