"""Data of a model that is taken out of the factory, where its settings delete them."""

from typing import Any

import boto3

from ml_code.contracts import Prefix, TeardownProperty, monitoring_experiment
from stacks.teardown.function.buckets import empty
from stacks.teardown.function.calls import unless_missing
from stacks.teardown.function.deadline import Deadline
from stacks.teardown.function.mlflow_api import Mlflow

# Of the stack, while CloudFormation deletes what an update has taken out. A rollback and a destroy have others.
_REMOVING = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"


def delete_retired_data(names: dict[str, Any], deadline: Deadline) -> None:
    """Delete the model's objects in all versions, its experiments with their artifacts, and its registered model."""
    prefixes = names.get(TeardownProperty.OBJECT_PREFIXES, [])
    if not prefixes:
        return
    stacks = boto3.client("cloudformation").describe_stacks(StackName=names[TeardownProperty.FACTORY_NAME])
    status = stacks["Stacks"][0]["StackStatus"]
    if status != _REMOVING:
        print(f"data stay: the stack is {status}, the model is not taken out of it")
        return
    s3 = boto3.client("s3")
    for prefix in prefixes:
        bucket, key = _bucket_and_key(prefix)
        unless_missing(empty, s3=s3, bucket=bucket, deadline=deadline, prefix=key)
    mlflow, model = (
        Mlflow(names[TeardownProperty.MLFLOW_TRACKING_URI]),
        names[TeardownProperty.MLFLOW_MODEL],
    )
    for name in (model, monitoring_experiment(model)):
        experiment = mlflow.experiment(name)
        if experiment is None:
            continue
        bucket, key = _bucket_and_key(f"{experiment['artifact_location'].rstrip('/')}/")
        folder = key.removeprefix(Prefix.MLFLOW)
        if folder == key or folder in ("", "/"):  # the artifacts of all models, or none of the factory's
            raise RuntimeError(f"the artifacts of experiment {name} are at {experiment['artifact_location']}")
        unless_missing(empty, s3=s3, bucket=bucket, deadline=deadline, prefix=key)
        if experiment["lifecycle_stage"] == "active":
            mlflow.delete_experiment(experiment["experiment_id"])
    mlflow.delete_model(model)
    print("data of", model, "deleted")


def _bucket_and_key(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
