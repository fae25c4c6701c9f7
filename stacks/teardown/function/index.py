"""Runs first on `cdk destroy`: stops what runs and removes what run-time code made of one factory, or of one model.

Names come as properties of the custom resource. Nothing is touched that does not bear them; what is found by the
beginning of its name must carry the factory's tag as well.
"""

import json
import urllib.request
from typing import Any

import boto3

from ml_code.contracts import RetiredData, TeardownProperty
from stacks.teardown.function.buckets import empty_buckets
from stacks.teardown.function.calls import pages
from stacks.teardown.function.deadline import Deadline
from stacks.teardown.function.deliveries import stop_builds, stop_deliveries, stop_triggers
from stacks.teardown.function.jobs import Jobs
from stacks.teardown.function.models import Models
from stacks.teardown.function.retired_data import delete_retired_data

# The function itself has 900 s; the answer to CloudFormation must still go out.
BUDGET_SECONDS = 840.0
PHYSICAL_ID = "model-factory-teardown"


def handler(event: dict[str, Any], context: Any) -> None:
    print(event["RequestType"], json.dumps(event.get("ResourceProperties", {})))
    status, reason = "SUCCESS", ""
    work = {"Delete": tear_down, "Update": refuse_removal}.get(event["RequestType"])
    if work:
        try:
            work(event)
        except Exception as error:  # without an answer CloudFormation waits an hour
            status, reason = "FAILED", f"{type(error).__name__}: {error}"
            print(reason)
    respond(event, status, reason)


def refuse_removal(event: dict[str, Any]) -> None:
    """Raise when a model in production is taken out of the factory and not retired: CloudFormation then rolls back."""
    now, before = event["ResourceProperties"], event.get("OldResourceProperties", {})
    _refuse_surprises(now, before)
    key = TeardownProperty.PRODUCTION_ENDPOINTS
    for model, endpoint in before.get(key, {}).items():
        if model in now.get(key, {}) or model in now.get(TeardownProperty.RETIRED_MODELS, []):
            continue
        found = pages(boto3.client("sagemaker"), "list_endpoints", "Endpoints", NameContains=endpoint)
        if any(each["EndpointName"] == endpoint for each in found):
            raise ValueError(
                f"Model {model} is not in this deployment, and {endpoint} serves it: set retire: true in its model.yaml "
                f"and deploy, or, without its folder, cdk deploy -c factory.retired_models={model}"
            )


def _refuse_surprises(now: dict[str, Any], before: dict[str, Any]) -> None:
    """Raise when the removal of a model would keep data that the settings now delete, or delete what they keep.

    The removal goes by the settings that were deployed with the model.
    """
    endpoints, retired_data = TeardownProperty.PRODUCTION_ENDPOINTS, TeardownProperty.RETIRED_DATA
    for model, endpoint in before.get(endpoints, {}).items():
        deployed = before.get(retired_data, {}).get(model, RetiredData.KEEP)
        wanted = now.get(retired_data, {}).get(model, deployed)
        served_by = now.get(endpoints, {}).get(model)
        if served_by is None and wanted != deployed:
            raise ValueError(
                f"Model {model} is deployed with retired_data {deployed}, and is to be taken out with {wanted}: deploy "
                f"retired_data: {wanted} first, without retire: true"
            )
        if served_by not in (None, endpoint) and deployed == RetiredData.DELETE:
            raise ValueError(
                f"The names of model {model} change, which takes out those of before, and retired_data: delete would "
                "delete its data: deploy retired_data: keep first"
            )


def tear_down(event: dict[str, Any]) -> None:
    """Tear down in this order: nothing starts anew, nothing writes any more, then the written data go."""
    names, deadline = event["ResourceProperties"], Deadline(BUDGET_SECONDS)
    jobs, models = Jobs(names, deadline), Models(names, deadline)
    stop_triggers(names)
    stop_deliveries(names)
    stop_builds(names, deadline)
    jobs.stop_executions()
    models.delete_endpoints()
    jobs.stop_transform_jobs()
    models.delete_configs_and_models()
    models.delete_model_package_groups()
    delete_retired_data(names, deadline)
    empty_buckets(names, deadline)
    jobs.delete_logs()


def respond(event: dict[str, Any], status: str, reason: str) -> None:
    body = {
        "Status": status,
        "Reason": reason[:1000],
        "PhysicalResourceId": PHYSICAL_ID,
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # The signature of the address covers an empty content type.
    request = urllib.request.Request(  # noqa: S310 (the address is CloudFormation's)
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        print(status, response.status)
