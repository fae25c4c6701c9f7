"""The estimate of what a training cost, by the record that SageMaker has of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ml_code.pipeline.compute import Compute
from ml_code.pipeline.definition import pipeline_definition
from ml_code.pipeline.settings import PipelineSettings
from ml_code.release.training_cost import cost_limit, estimate_cost
from ml_code.spec import ModelSpec

START = datetime(2026, 11, 1, tzinfo=UTC)
SETTINGS = PipelineSettings(
    pipeline_name="digits",
    model_name="digits",
    region="eu-central-1",
    role_arn="arn:aws:iam::123456789012:role/job",
    artifact_bucket="artifacts",
    mlflow_tracking_uri="arn:aws:sagemaker:eu-central-1:123456789012:mlflow-app/app-1",
    image_uri="image",
)


class SageMaker:
    """The record of one execution, whose steps took `seconds`."""

    def __init__(self, spec: ModelSpec, settings: PipelineSettings, seconds: dict[str, int]) -> None:
        self._definition = pipeline_definition(spec, settings)
        self._steps = [
            {"StepName": name, "StartTime": START, "EndTime": START + timedelta(seconds=taken)}
            for name, taken in seconds.items()
        ]

    def describe_pipeline_definition_for_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        return {"PipelineDefinition": self._definition}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_pipeline_execution_steps"
        return self

    def paginate(self, PipelineExecutionArn: str) -> list[dict[str, Any]]:
        return [{"PipelineExecutionSteps": [*self._steps, {"StepName": "Running", "StartTime": START}]}]


def test_each_job_counts_with_its_instances(spec: ModelSpec) -> None:
    seconds = {"Preprocess": 3600, "Tune": 1800, "Evaluate": 0, "Gate": 60, "Register": 3600}
    said = estimate_cost(SageMaker(spec, SETTINGS, seconds), "arn")
    parallel = spec.tuning.max_parallel_jobs
    usd = 0.1 + 0.5 * parallel * 0.115 + 0.1
    each = "Preprocess 3600 s, Tune 1800 s, Evaluate 0 s, Register 3600 s"
    assert said.startswith(
        f"at most ${usd:.2f} for 9000 s of jobs ({each}), by on-demand prices of us-east-1 (2"
    )


def test_before_it_each_job_counts_to_its_time_limit(spec: ModelSpec) -> None:
    compute = Compute.model_validate(
        {
            "training": {"instance_count": 3, "max_runtime_seconds": 1800},
            "evaluate": {"max_runtime_seconds": 7200},
        }
    )
    cluster = spec.model_copy(update={"estimator": "xgboost.XGBClassifier", "scaler": None})
    definition = pipeline_definition(cluster, SETTINGS.model_copy(update={"compute": compute}))
    usd = 0.1 + spec.job_count * 0.5 * 3 * 0.115 + 2 * 2 * 0.1
    assert cost_limit(json.loads(definition)["Steps"]).startswith(
        f"at most ${usd:.2f} if each job runs to its time limit, by on-demand prices of us-east-1 (2"
    )


def test_the_jobs_of_a_grid_are_its_combinations(spec: ModelSpec) -> None:
    """SageMaker counts them itself: the definition has no number."""
    values = {"alpha": [0.1, 0.3, 1.0], "solver": ["adam", "sgd"]}
    search = {name: {"type": "categorical", "values": found} for name, found in values.items()}
    tuning = {"strategy": "Grid", "max_parallel_jobs": 2}
    changed = {"search": search, "tuning": tuning, "hyperparameters": {}}
    grid = ModelSpec.model_validate({**spec.model_dump(), **changed})
    steps = json.loads(pipeline_definition(grid, SETTINGS))["Steps"]
    assert cost_limit(steps).startswith(f"at most ${0.1 + 6 * 0.115 + 2 * 0.1:.2f} if each job ")
    said = estimate_cost(SageMaker(grid, SETTINGS, {"Tune": 3600}), "arn")
    assert said.startswith(f"at most ${2 * 0.115:.2f} for 3600 s of jobs ")


def test_a_type_without_a_price_is_named(spec: ModelSpec) -> None:
    compute = Compute.model_validate({"training": {"instance_type": "ml.u7.large"}})
    settings = SETTINGS.model_copy(update={"compute": compute})
    said = estimate_cost(SageMaker(spec, settings, {"Preprocess": 3600, "Tune": 60}), "arn")
    unknown = "unknown (no price of ml.u7.large in ml_code/release/prices.json)"
    assert said.startswith(f"{unknown} for 3660 s of jobs (Preprocess 3600 s, Tune 60 s), by ")
    steps = json.loads(pipeline_definition(spec, settings))["Steps"]
    assert cost_limit(steps).startswith(f"{unknown} if each job runs to its time limit, by ")


@pytest.mark.parametrize("steps", [{}, {"Gate": 5}])
def test_no_jobs_cost_nothing(spec: ModelSpec, steps: dict[str, int]) -> None:
    assert estimate_cost(SageMaker(spec, SETTINGS, steps), "arn").startswith("at most $0.00 for 0 s")
