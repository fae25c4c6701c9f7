"""The scalable target of an endpoint."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ml_code.release.scaling import stop_scaling

ENDPOINT = "model-factory-production"


@pytest.mark.parametrize(("code", "passes"), [("ObjectNotFoundException", True), ("AccessDenied", False)])
def test_scaling_that_is_off_already_is_no_error(code: str, passes: bool) -> None:
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    client = boto3.client("application-autoscaling", region_name="us-east-1", **keys)
    with Stubber(client) as stub:
        stub.add_client_error("deregister_scalable_target", code)
        if passes:
            stop_scaling(client, ENDPOINT)
        else:
            with pytest.raises(ClientError, match=code):
                stop_scaling(client, ENDPOINT)
