"""Instance types with a disk of their own."""

from contextlib import nullcontext
from typing import Any

import pytest

from localaws.core.errors import ServiceError
from localaws.services.sagemaker.jobs.local_storage import check_volume


@pytest.mark.parametrize(
    ("resources", "refusal"),
    [
        ({"VolumeSizeInGB": 75}, ""),
        ({"VolumeSizeInGB": 76}, "VolumeSizeInGB 76 is greater than .* local instance storage of ml.m5d.large, 75"),
        ({"VolumeSizeInGB": 30, "VolumeKmsKeyId": "arn:aws:kms:us-east-1:1:key/k"}, "VolumeKmsKeyId cannot"),
        ({"InstanceType": "ml.m5.large", "VolumeSizeInGB": 76}, ""),
    ],
)  # fmt: skip
def test_a_disk_of_the_instance_type_bounds_the_volume(resources: dict[str, Any], refusal: str) -> None:
    asked = {"InstanceType": "ml.m5d.large", **resources}
    with pytest.raises(ServiceError, match=refusal) if refusal else nullcontext():
        check_volume(asked)
