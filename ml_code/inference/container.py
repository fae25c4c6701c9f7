"""How SageMaker runs a model archive, behind an endpoint and in a transform job alike."""

from typing import Any


def container(image_uri: str, model_data_url: str) -> dict[str, Any]:
    """What runs inference.py of the model's archive."""
    return {
        "Image": image_uri,
        "ModelDataUrl": model_data_url,
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            # The image's server installs the module by pip at start unless it can import it.
            "PYTHONPATH": "/opt/ml/model/code",
            # One row is too little work to share: more threads only wait for each other.
            "OMP_NUM_THREADS": "1",
        },
    }
