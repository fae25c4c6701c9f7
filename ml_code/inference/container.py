"""The container of a model archive, behind an endpoint and in a transform job alike."""

from typing import Any

from ml_code.contracts import Variable

# Where SageMaker unpacks the archive.
CODE = "/opt/ml/model/code"


def container(image_uri: str, model_data_url: str, model_manifest_sha256: str) -> dict[str, Any]:
    """The container definition of SageMaker that serves wsgi.py of the model's archive.

    A serverless container's user is not root and may write to /tmp only. With SAGEMAKER_PROGRAM the image's server would
    install the code by pip, and with nginx write to /etc: neither start would succeed.
    """
    return {
        "Image": image_uri,
        "ModelDataUrl": model_data_url,
        "Environment": {
            "SAGEMAKER_SERVING_MODULE": "wsgi:app",
            "SAGEMAKER_USE_NGINX": "false",
            # One worker a core would need the memory of as many models.
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            # Importing the toolkit makes a folder below it, by default in /opt/ml.
            "SAGEMAKER_BASE_DIR": "/tmp/sagemaker",  # noqa: S108 - the container's own
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "HOME": "/tmp",  # noqa: S108 - gunicorn keeps its control socket there
            "PYTHONPATH": CODE,
            # One row is too little work to share: more threads only wait for each other.
            "OMP_NUM_THREADS": "1",
            # A thread that has no more rows would keep its core busy for a while, in case that there are new ones.
            "OMP_WAIT_POLICY": "passive",
            Variable.MODEL_MANIFEST_SHA256: model_manifest_sha256,
        },
    }
