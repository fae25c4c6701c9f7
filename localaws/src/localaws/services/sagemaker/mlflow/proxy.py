"""The address of all MLflow apps and tracking servers: checks who asks, then hands the request on."""

from typing import Any, cast
from urllib.parse import urlsplit

import urllib3
from werkzeug.wrappers import Response

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.services.iam.authorization import Principal, authorize
from localaws.services.sagemaker.mlflow.tracking_server import iam_action

PREFIX = "/mlflow"
APP_HEADER = "HTTP_X_SM_MLFLOW_APP_ARN"
SERVER_HEADER = "HTTP_X_MLFLOW_SM_TRACKING_SERVER_ARN"
# Hop-by-hop, or about the signature that ends here.
DROPPED = frozenset(
    {
        "connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "upgrade",
        "authorization",
        "host",
        "content-length",
    }
)


class MlflowProxy:
    """SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT: the plugin sends the ARN in a header."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._pool = urllib3.PoolManager(num_pools=16, maxsize=16, block=False, retries=False)

    def answer(self, principal: Principal, environ: dict[str, Any], body: bytes) -> Response:
        path = str(environ["RAW_URI"]).removeprefix(PREFIX)
        if arn := environ.get(APP_HEADER):
            authorize(principal, "sagemaker:CallMlflowAppApi", arn)
        elif arn := environ.get(SERVER_HEADER):
            authorize(principal, iam_action(environ["REQUEST_METHOD"], path.partition("?")[0]), arn)
        else:
            raise ServiceError(
                "ValidationException",
                "The request names no MLflow app or tracking server in the header x-sm-mlflow-app-arn or "
                "x-mlflow-sm-tracking-server-arn.",
            )
        sagemaker = cast(Any, self._account.services["sagemaker"])
        answer = self._pool.request(
            environ["REQUEST_METHOD"],
            f"{sagemaker.mlflow_url(arn)}{path}",
            body=body,
            headers=_request_headers(environ, urlsplit(self._account.endpoint_url).netloc),
            redirect=False,
            decode_content=False,
        )
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in DROPPED]
        return Response(answer.data, answer.status, headers)


def _request_headers(environ: dict[str, Any], host: str) -> dict[str, str]:
    headers = {"Host": host}
    for key, value in environ.items():
        if key == "CONTENT_TYPE" or key.startswith("HTTP_"):
            name = key.removeprefix("HTTP_").replace("_", "-").lower()
            if value and name not in DROPPED and not name.startswith("x-amz-"):
                headers[name] = value
    return headers
