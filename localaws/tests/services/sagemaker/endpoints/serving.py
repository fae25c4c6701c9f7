"""Endpoints that answer with a word, for the tests of endpoints."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

INFERENCE = """
import json, os, pathlib
from werkzeug.wrappers import Response

def model_fn(model_dir):
    return json.loads(pathlib.Path(model_dir, "model.json").read_text())

def transform_fn(model, content, content_type, accept):
    if content == "raise":
        raise ValueError("cannot read this")
    if content == "bad":
        return Response("rows must be numbers", status=400, mimetype="text/plain")
    print("asked for", content)
    if isinstance(content, bytes):
        content = content.decode()
    body = {"model": model, "content": content, "type": content_type, "accept": accept}
    return json.dumps(body), "application/json"
"""


Wait = Callable[[Callable[[], bool]], None]


def configuration(local: Any, word: str, *, inference: str = INFERENCE, serverless: bool = True) -> str:
    """A model that answers with the word, and an endpoint configuration for it; its name."""
    name = f"{word}-{uuid.uuid4().hex[:8]}"
    archive = local.archive(
        f"{name}/model.tar.gz", {"model.json": json.dumps(word), "code/inference.py": inference}
    )
    local.create_model(name, archive)
    create_config(local, name, name, serverless=serverless)
    return name


def create_config(local: Any, name: str, model: str, *, serverless: bool = True, instances: int = 2) -> None:
    size: dict[str, Any] = {"InstanceType": "ml.m5.large", "InitialInstanceCount": instances}
    if serverless:
        size = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}
    local.client().create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{"VariantName": "AllTraffic", "ModelName": model, **size}],
    )


def deploy(local: Any, wait_until: Wait, config: str) -> str:
    name = f"endpoint-{uuid.uuid4().hex[:8]}"
    local.client().create_endpoint(EndpointName=name, EndpointConfigName=config)
    described = settle(local, wait_until, name)
    assert described["EndpointStatus"] == "InService", described
    return name


def settle(local: Any, wait_until: Wait, name: str) -> dict[str, Any]:
    """The description once the endpoint is neither Creating nor Updating."""
    sagemaker = local.client()
    wait_until(
        lambda: (
            sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] not in ("Creating", "Updating")
        )
    )
    described: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    return described


def canary(
    alarm: str, *, percent: int = 50, wait: int = 0, last: int = 0, timeout: int = 28_800
) -> dict[str, Any]:
    routing = {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": percent}}
    return guarded(alarm, routing, wait=wait, last=last, timeout=timeout)


def guarded(
    alarm: str, routing: dict[str, Any], *, wait: int, last: int = 0, timeout: int = 28_800
) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {**routing, "WaitIntervalInSeconds": wait},
            "TerminationWaitInSeconds": last,
            "MaximumExecutionTimeoutInSeconds": timeout,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }


def answer(runtime: Any, endpoint: str) -> str:
    body = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1", ContentType="text/csv")["Body"]
    model: str = json.loads(body.read())["model"]
    return model


@contextmanager
def asking(local: Any, endpoint: str, *, model_may_fail: bool = False) -> Iterator[list[str]]:
    """Ask the endpoint all the time; yield what answered so far.

    A failed request fails the test, unless it is the model's own failure and that is expected.
    """
    seen: list[str] = []
    failures: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        runtime = local.client("sagemaker-runtime")
        while not done.wait(0.005):
            try:
                seen.append(answer(runtime, endpoint))
            except ClientError as error:
                if not model_may_fail or "server error (500) from primary" not in str(error):
                    failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
    assert failures == []


def model_error(caught: pytest.ExceptionInfo[ClientError]) -> dict[str, Any]:
    """The answer of a failed InvokeEndpoint, which botocore's types know no members of."""
    return {**caught.value.response}
