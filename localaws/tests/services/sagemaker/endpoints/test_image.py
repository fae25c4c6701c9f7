"""Endpoints and transform jobs in the image's real environment, by AWS's own toolkit."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.sagemaker.conftest import BUCKET, IMAGE, Local
from tests.services.sagemaker.endpoints.serving import INFERENCE, create_config, model_error, settle

WSGI = """
import os, urllib.request
from pathlib import Path
from sagemaker_containers.beta.framework import transformer, worker
from werkzeug.wrappers import Response

def attempt(action):
    try:
        return str(action())
    except OSError as error:
        return type(error).__name__

def transform_fn(model, content, content_type, accept):
    if content == "bad":
        return Response("rows must be numbers", status=400, mimetype="text/plain")
    if content == "raise":
        raise ValueError("cannot read this")
    found = {
        "uid": os.getuid(),
        "model": model,
        "content": content if isinstance(content, str) else content.decode(),
        "opt_ml": attempt(lambda: Path("/opt/ml/model/new").write_text("x")),
        "etc": attempt(lambda: Path("/etc/new").write_text("x")),
        "home": attempt(lambda: Path.home().joinpath("new").write_text("x")),
        "tmp": attempt(lambda: Path("/tmp/new").write_text("x")),
        "network": attempt(lambda: urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"], timeout=2)),
        "project": Path(os.environ["SOURCE"]).exists(),
    }
    return str(found) if accept == "text/plain" else __import__("json").dumps(found), accept

served = transformer.Transformer(
    model_fn=lambda _: Path(__file__).with_name("word").read_text(), transform_fn=transform_fn
)
served.initialize()
app = worker.Worker(transform_fn=served.transform, module_name=__name__)
"""
SERVERLESS = {
    "SAGEMAKER_SERVING_MODULE": "wsgi:app",
    "SAGEMAKER_USE_NGINX": "false",
    "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
    "SAGEMAKER_BASE_DIR": "/tmp/sagemaker",  # noqa: S108 - the container's own
    "HOME": "/tmp",  # noqa: S108
    "PYTHONPATH": "/opt/ml/model/code",
    "SOURCE": str(Path(__file__).parent),
}
SCRIPT_MODE = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def model(local: Local, environment: dict[str, str]) -> str:
    name = f"model-{uuid.uuid4().hex[:8]}"
    files: dict[str, str | bytes] = {
        "code/wsgi.py": WSGI,
        "code/inference.py": INFERENCE,
        "code/word": "hello",
        "model.json": json.dumps("hello"),
    }
    local.client().create_model(
        ModelName=name,
        ExecutionRoleArn=local.role,
        PrimaryContainer={
            "Image": IMAGE,
            "ModelDataUrl": local.archive(f"{name}/model.tar.gz", files),
            "Environment": environment,
        },
    )
    return name


def endpoint(
    local: Local, wait_until: Any, environment: dict[str, str], *, serverless: bool
) -> dict[str, Any]:
    name = model(local, environment)
    create_config(local, name, name, serverless=serverless)
    local.client().create_endpoint(EndpointName=name, EndpointConfigName=name)
    return settle(local, wait_until, name)


def test_script_mode_cannot_start_a_serverless_endpoint(image_local: Local, wait_until: Any) -> None:
    """With the image's defaults, `serve` writes nginx's configuration, which its user may not."""
    described = endpoint(image_local, wait_until, SCRIPT_MODE, serverless=True)
    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    log = image_local.log_lines(f"/aws/sagemaker/Endpoints/{described['EndpointName']}", "AllTraffic")
    assert "OSError: [Errno 30] Read-only file system: '/etc/sagemaker-nginx.conf'" in log


def test_script_mode_without_nginx_wants_to_install_the_code(image_local: Local, wait_until: Any) -> None:
    environment = {**SCRIPT_MODE, "SAGEMAKER_USE_NGINX": "false"}
    described = endpoint(image_local, wait_until, environment, serverless=True)
    assert described["EndpointStatus"] == "Failed"
    log = image_local.log_lines(f"/aws/sagemaker/Endpoints/{described['EndpointName']}", "AllTraffic")
    assert "Read-only file system: '/opt/ml/code" in "\n".join(log)


@pytest.mark.parametrize("serverless", [True, False])
def test_a_module_of_the_archive_serves_unprivileged(
    image_local: Local, wait_until: Any, serverless: bool
) -> None:
    described = endpoint(image_local, wait_until, SERVERLESS, serverless=serverless)
    name = described["EndpointName"]
    assert described["EndpointStatus"] == "InService", image_local.log_lines(
        f"/aws/sagemaker/Endpoints/{name}", "AllTraffic"
    )
    runtime = image_local.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=name, Body=b"1,2", ContentType="text/csv")
    found = json.loads(answer["Body"].read())
    assert found == {
        "uid": 65534,
        "model": "hello",
        "content": "1,2",
        "opt_ml": "OSError" if serverless else "1",
        "etc": "OSError",
        "home": "1",
        "tmp": "1",
        "network": "URLError",
        "project": False,
    }
    for body, status in ((b"bad", 400), (b"raise", 500)):
        with pytest.raises(ClientError) as failed:
            runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/csv")
        assert model_error(failed)["OriginalStatusCode"] == status
    log = image_local.log_lines(f"/aws/sagemaker/Endpoints/{name}", "AllTraffic")
    assert any("Starting gunicorn" in line for line in log)
    image_local.client().delete_endpoint(EndpointName=name)


def test_a_transform_job_runs_it_too(image_local: Local) -> None:
    assert transform(image_local)["uid"] == 65534


def test_the_small_server_takes_the_same_variables(small_local: Local) -> None:
    assert transform(small_local)["model"] == "hello"


def transform(local: Local) -> dict[str, Any]:
    """What the model answers in a transform job."""
    name = model(local, SERVERLESS)
    source = local.put(f"{name}/in/rows.csv", "1,2\n")
    local.client().create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": "text/csv",
        },
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/{name}/out", "Accept": "application/json"},
        TransformResources={"InstanceCount": 1, "InstanceType": "ml.m5.large"},
    )
    arn = local.client().describe_transform_job(TransformJobName=name)["TransformJobArn"]
    local.sagemaker.wait_for_job(arn)
    described = local.client().describe_transform_job(TransformJobName=name)
    assert described["TransformJobStatus"] == "Completed", described
    found: dict[str, Any] = json.loads(local.get(f"{name}/out/rows.csv.out"))
    return found
