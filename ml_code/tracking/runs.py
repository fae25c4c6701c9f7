"""One MLflow run for each pipeline execution, with a child for each training job."""

import re
import time
import uuid
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from ml_code.contracts import Argument

CREATION_RACE_SECONDS = 0.25
_DELETED = "deleted"
EXECUTION_ARGUMENTS = (Argument.EXECUTION_ARN, Argument.COMMIT, Argument.TRIGGER_REASON)
# Artifact of each training job's run: rows of the train part, to compare live inputs with.
TRAINING_SAMPLE = "training_sample.parquet"
# Artifact of a version's run: its test part, to verify an endpoint with.
TEST_DATA = "test.csv"


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The pipeline execution that a job belongs to."""

    arn: str
    commit: str
    trigger_reason: str

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


def add_execution_arguments(parser: ArgumentParser) -> None:
    for name in EXECUTION_ARGUMENTS:
        parser.add_argument(f"--{name}", required=True)


def execution_of(arguments: Namespace) -> Execution:
    return Execution(
        arn=arguments.execution_arn, commit=arguments.commit, trigger_reason=arguments.trigger_reason
    )


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment; create it if there is none.

    One that somebody deleted comes back with its runs: MLflow gives its name to no other, and versions in the registry refer
    to its runs.
    """
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == _DELETED:
            _restore_experiment(client, found.experiment_id)
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return experiment_id(client, name)  # another job was quicker


def restore_run(client: MlflowClient, run_id: str) -> None:
    """Bring back the run of a version that was deleted, by itself or with its experiment."""
    info = client.get_run(run_id).info
    if info.lifecycle_stage != _DELETED:
        return
    if client.get_experiment(info.experiment_id).lifecycle_stage == _DELETED:
        _restore_experiment(client, info.experiment_id)
    if client.get_run(run_id).info.lifecycle_stage == _DELETED:
        client.restore_run(run_id)
        print(f"restored MLflow run {run_id}, which was deleted", flush=True)


def _restore_experiment(client: MlflowClient, identifier: str) -> None:
    try:
        client.restore_experiment(identifier)
    except MlflowException:  # another job was quicker
        if client.get_experiment(identifier).lifecycle_stage == _DELETED:
            raise
    print(f"restored MLflow experiment {identifier}, which was deleted", flush=True)


def parent_run_id(client: MlflowClient, experiment: str, execution: Execution) -> str:
    """The run of the execution, found by its tag; made by whichever job comes first."""
    found = _oldest_parent(client, experiment, execution)
    if found is not None:
        return found
    made = _create_run(
        client,
        experiment,
        name=f"{execution.commit[:8]} {execution.id}",
        tags={
            "execution_arn": execution.arn,
            "commit": execution.commit,
            "trigger_reason": execution.trigger_reason,
        },
    )
    # Training jobs start together, and MLflow cannot make a run "unless it exists": all that were
    # made at the same time agree on the oldest.
    time.sleep(CREATION_RACE_SECONDS)
    oldest = _oldest_parent(client, experiment, execution)
    if oldest is not None and oldest != made:
        client.delete_run(made)
        return oldest
    return made


def child_run_id(client: MlflowClient, experiment: str, parent: str, name: str) -> str:
    return _create_run(client, experiment, name=name, tags={"mlflow.parentRunId": parent})


def _create_run(client: MlflowClient, experiment: str, *, name: str, tags: dict[str, str]) -> str:
    """MLflow's client repeats a request whose answer was lost: of what it made, the first stays."""
    token = uuid.uuid4().hex
    client.create_run(experiment, run_name=name, tags={**tags, "creation": token})
    first, *others = sorted(
        client.search_runs([experiment], filter_string=f"tags.creation = '{token}'"), key=_age
    )
    for run in others:
        client.delete_run(run.info.run_id)
    return str(first.info.run_id)


def metric_key(text: str) -> str:
    """MLflow's names of metrics have no other characters than these."""
    return re.sub(r"[^\w\-. /:]", "_", text)


def log(
    client: MlflowClient,
    run_id: str,
    *,
    metrics: dict[str, float] | None = None,
    params: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    model_id: str | None = None,
) -> None:
    """All in one request; with `model_id` the metrics are the model's too."""
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, now, 0, model_id=model_id) for key, value in (metrics or {}).items()],
        params=[
            Param(key, str(value))  # type: ignore[no-untyped-call]
            for key, value in (params or {}).items()
        ],
        tags=[
            RunTag(key, value)  # type: ignore[no-untyped-call]
            for key, value in (tags or {}).items()
        ],
    )


def _oldest_parent(client: MlflowClient, experiment: str, execution: Execution) -> str | None:
    runs = client.search_runs(
        [experiment],
        filter_string=f"tags.execution_arn = '{execution.arn}'",
        order_by=["attributes.start_time ASC"],
        max_results=10,
    )
    oldest = min(runs, key=_age, default=None)
    return None if oldest is None else str(oldest.info.run_id)


def _age(run: Run) -> tuple[int, str]:
    return run.info.start_time, run.info.run_id
