"""Calls of SageMaker's MLflow by its REST API, signed as the plugin `sagemaker-mlflow` signs them; a function has no MLflow."""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

_HEADERS = {
    "mlflow-app": "x-sm-mlflow-app-arn",
    "mlflow-tracking-server": "x-mlflow-sm-tracking-server-arn",
}
_PAUSES_SECONDS = (1.0, 4.0, 16.0)
_TRANSIENT = (429, 500, 502, 503, 504)


class Mlflow:
    """The App or tracking server of an ARN."""

    def __init__(self, arn: str) -> None:
        self._arn, self._region = arn, arn.split(":")[3]
        kind = arn.split(":")[5].partition("/")[0]
        self._header = _HEADERS[kind]
        hosts = {
            "mlflow-app": f"https://mlflow.sagemaker.{self._region}.app.aws",
            "mlflow-tracking-server": f"https://{self._region}.experiments.sagemaker.aws",
        }
        # As the plugin reads it.
        self._address = os.environ.get("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT") or hosts[kind]

    def experiment(self, name: str) -> dict[str, Any] | None:
        """The experiment, a deleted one too; None when there never was one."""
        query = urlencode({"experiment_name": name})
        answer = self._call("GET", f"experiments/get-by-name?{query}")
        return answer["experiment"] if answer else None

    def delete_experiment(self, identifier: str) -> None:
        self._call("POST", "experiments/delete", {"experiment_id": identifier})

    def delete_model(self, name: str) -> None:
        """Delete the registered model with its versions and aliases."""
        self._call("DELETE", "registered-models/delete", {"name": name})

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """The answer; None when what is asked for does not exist."""
        for pause in (*_PAUSES_SECONDS, None):
            try:
                with urllib.request.urlopen(self._signed(method, path, body), timeout=60) as response:  # noqa: S310
                    return json.loads(response.read() or b"{}")
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                if "RESOURCE_DOES_NOT_EXIST" in text:
                    return None
                if pause is None or error.code not in _TRANSIENT:
                    raise RuntimeError(
                        f"MLflow refused {method} {path}: {error.code} {text[:300]}"
                    ) from error
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _signed(self, method: str, path: str, body: dict[str, str] | None) -> urllib.request.Request:
        data = json.dumps(body).encode() if body else b""
        headers = {
            self._header: self._arn,
            "Content-Type": "application/json",
            "X-Amz-Content-SHA256": hashlib.sha256(data).hexdigest(),
        }
        url = f"{self._address}/api/2.0/mlflow/{path}"
        request = AWSRequest(method=method, url=url, data=data, headers=headers)
        credentials = boto3.Session().get_credentials()
        assert credentials, "a function has those of its role"
        SigV4Auth(credentials, "sagemaker-mlflow", self._region).add_auth(request)
        return urllib.request.Request(url, data or None, dict(request.headers.items()), method=method)  # noqa: S310
