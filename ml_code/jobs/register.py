"""A version in MLflow's registry for the model that passed the gate."""

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

from ml_code.contracts import STAGING, Argument
from ml_code.jobs.gate import gate_status
from ml_code.spec import ModelSpec, load_spec
from ml_code.tracking import runs

ATTEMPTS = 12  # over about two minutes
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"  # read by MLflow's client at every request


def version_tags(
    execution: runs.Execution,
    *,
    code_uri: str,
    dataset: dict[str, Any],
    metrics: dict[str, float],
    gate: str,
) -> dict[str, str]:
    return {
        "commit": execution.commit,
        "data_sha256": dataset["data_sha256"],
        "execution_arn": execution.arn,
        "code_uri": code_uri,
        "trigger_reason": execution.trigger_reason,
        "gate": gate,
        **{f"test_{name}": f"{value:.6f}" for name, value in metrics.items()},
    }


def register(spec: ModelSpec, model: dict[str, Any], tags: dict[str, str]) -> str:
    """The number of the version, which alias `staging` then points to."""
    client = mlflow.MlflowClient()
    try:
        client.create_registered_model(spec.name, description=spec.description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = _version(client, spec, model, tags)
    client.set_registered_model_alias(spec.name, STAGING, version)
    return version


def _version(client: MlflowClient, spec: ModelSpec, model: dict[str, Any], tags: dict[str, str]) -> str:
    """The execution's version, made once: MLflow's client would repeat a request whose answer was lost."""
    of_execution = f"name = '{spec.name}' and tags.execution_arn = '{tags['execution_arn']}'"
    attempt = 0
    while True:
        attempt += 1
        found = client.search_model_versions(of_execution)
        if found:
            return min((str(version.version) for version in found), key=int)
        try:
            with _no_repetition():
                made = client.create_model_version(
                    spec.name,
                    model["model_uri"],
                    run_id=model["run_id"],
                    tags=tags,
                    model_id=model["model_id"],
                )
            return str(made.version)
        except MlflowException as error:
            if isinstance(error, RestException) or attempt == ATTEMPTS:
                raise
            print(f"no answer, asking again: {error}", flush=True)
            time.sleep(min(2.0**attempt, 20.0))


@contextmanager
def _no_repetition() -> Iterator[None]:
    before = os.environ.get(RETRIES)
    os.environ[RETRIES] = "0"
    try:
        yield
    finally:
        del os.environ[RETRIES]
        if before is not None:
            os.environ[RETRIES] = before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("evaluation-dir", "dataset-dir", "version-out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument(f"--{Argument.CODE_URI}", required=True)
    runs.add_execution_arguments(parser)
    arguments = parser.parse_args()
    spec = load_spec()
    evaluation = json.loads((arguments.evaluation_dir / "evaluation.json").read_text())
    dataset = json.loads((arguments.dataset_dir / "dataset.json").read_text())

    tags = version_tags(
        runs.execution_of(arguments),
        code_uri=arguments.code_uri,
        dataset=dataset,
        metrics=evaluation["metrics"],
        gate=gate_status(evaluation["gate"]),
    )
    version = register(spec, evaluation["model"], tags)
    facts = {"name": spec.name, "version": version, "run_id": evaluation["model"]["run_id"], "tags": tags}
    arguments.version_out.mkdir(parents=True, exist_ok=True)
    (arguments.version_out / "version.json").write_text(json.dumps(facts, indent=2))
    print(f"registered {spec.name} version {version} as {spec.name}@{STAGING}")


if __name__ == "__main__":
    main()
