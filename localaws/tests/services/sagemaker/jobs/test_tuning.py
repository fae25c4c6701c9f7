"""Tuning jobs: real training jobs, side by side, by each strategy."""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.sagemaker.jobs.search_space import random_combinations
from localaws.services.sagemaker.jobs.tuning_job import training_request

BUCKET = "data-for-jobs"
TRAIN = """
import os, time
time.sleep(float(os.environ.get("SM_HP_SLEEP", "0")))
assert os.environ["SM_HP_KIND"] != "bad", "bad kind"
print("score=%s;" % (float(os.environ["SM_HP_RATE"]) if "SM_HP_RATE" in os.environ else len(os.environ["SM_HP_KIND"])))
"""
RANGES = {
    "ContinuousParameterRanges": [
        {"Name": "rate", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"}
    ],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
}


def test_random_search(local: Any) -> None:
    request = tuning_request(local, RANGES, jobs=4)
    described = tune(local, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed", described
    assert described["TrainingJobStatusCounters"]["Completed"] == 4
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    name = request["HyperParameterTuningJobName"]
    listed = local.client().list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending"
    )["TrainingJobSummaries"]
    rates = [float(item["TunedHyperParameters"]["rate"]) for item in listed]
    assert rates == sorted(rates, reverse=True)
    best = described["BestTrainingJob"]
    assert best["TrainingJobName"] == listed[0]["TrainingJobName"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(rates[0])
    assert sorted(item["TrainingJobName"][: len(name) + 4] for item in listed) == [
        f"{name}-{number:03d}" for number in (1, 2, 3, 4)
    ]
    child = local.client().describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert child["HyperParameters"]["_tuning_objective_metric"] == "score"
    assert child["TuningJobArn"] == described["HyperParameterTuningJobArn"]


def test_jobs_run_side_by_side(local: Any) -> None:
    request = tuning_request(local, RANGES, jobs=4, parallel=4)
    request["TrainingJobDefinition"]["StaticHyperParameters"]["sleep"] = "3"
    assert tune(local, request)["HyperParameterTuningJobStatus"] == "Completed"
    jobs = local.client().list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=request["HyperParameterTuningJobName"]
    )["TrainingJobSummaries"]
    assert len(jobs) == 4
    assert max(job["CreationTime"] for job in jobs) < min(job["TrainingEndTime"] for job in jobs)


def test_grid_search_tries_every_combination_and_outlives_failures(local: Any) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "bad", "ccc"]}]}
    described = tune(local, tuning_request(local, ranges, jobs=3, strategy="Grid"))
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 2
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert described["BestTrainingJob"]["TunedHyperParameters"] == {"kind": "ccc"}


def test_no_success_is_a_failure(local: Any) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["bad"]}]}
    described = tune(local, tuning_request(local, ranges, jobs=9, parallel=1))
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("No training job succeeded after 5 attempts.")


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_job_that_cannot_be_started_ends_the_search(local: Any, strategy: str) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["a"]}]}
    request = tuning_request(local, ranges, jobs=4, strategy=strategy)
    name, definition = request["HyperParameterTuningJobName"], request["TrainingJobDefinition"]
    taken = training_request(name, definition, 1, {"kind": "a"}, metric="score")["TrainingJobName"]
    local.client().create_training_job(**local.training_request(TRAIN) | {"TrainingJobName": taken})
    described = tune(local, request)
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert taken in described["FailureReason"]


def test_spot_jobs_have_checkpoints_and_no_warm_pool(local: Any) -> None:
    request = tuning_request(local, RANGES, jobs=1)
    definition = request["TrainingJobDefinition"]
    definition["EnableManagedSpotTraining"] = True
    definition["StoppingCondition"] = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}
    definition["CheckpointConfig"] = {"S3Uri": f"s3://{BUCKET}/checkpoints"}
    described = tune(local, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed", described
    child = local.client().describe_training_job(
        TrainingJobName=described["BestTrainingJob"]["TrainingJobName"]
    )
    assert child["EnableManagedSpotTraining"] is True
    assert child["CheckpointConfig"] == {"S3Uri": f"s3://{BUCKET}/checkpoints"}


def test_a_warm_pool_is_accepted_and_forgotten(local: Any) -> None:
    request = tuning_request(local, RANGES, jobs=1)
    request["TrainingJobDefinition"]["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 600
    described = tune(local, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert "KeepAlivePeriodInSeconds" not in described["TrainingJobDefinition"]["ResourceConfig"]


def test_the_seed_decides_the_values() -> None:
    ranges = RANGES | {
        "IntegerParameterRanges": [
            {"Name": "depth", "MinValue": "1", "MaxValue": "64", "ScalingType": "Linear"}
        ]
    }
    first, second = random_combinations(ranges, 7), random_combinations(ranges, 7)
    values = [next(first) for _ in range(50)]
    assert values == [next(second) for _ in range(50)]
    assert all(0.001 <= float(item["rate"]) <= 1 for item in values)
    assert all(1 <= int(item["depth"]) <= 64 for item in values)
    assert {item["kind"] for item in values} == {"a", "b"}
    assert sum(float(item["rate"]) < 0.03 for item in values) > 15  # half of a logarithmic scale


def test_arns_are_lower_case_and_names_keep_their_case(local: Any) -> None:
    """Describe and Stop take the name as the ARN has it (boto3#4606); of lists it is not known."""
    sagemaker = local.client()
    request = tuning_request(local, RANGES, jobs=1) | {"HyperParameterTuningJobName": "Tune-Aa"}
    arn = sagemaker.create_hyper_parameter_tuning_job(**request)["HyperParameterTuningJobArn"]
    assert arn.endswith(":hyper-parameter-tuning-job/tune-aa")
    local.sagemaker.wait_for_job(arn)
    described = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-aa")
    assert described["HyperParameterTuningJobName"] == "Tune-Aa"
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-aa")
    with pytest.raises(ClientError, match="can't find a tuning job named tune-aa"):
        sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune-aa")
    (training,) = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="Tune-Aa"
    )["TrainingJobSummaries"]
    name = training["TrainingJobArn"].rpartition("/")[2]
    assert name.startswith("tune-aa-")
    found = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobName"]
    assert found == training["TrainingJobName"] != name


def test_a_bayesian_search_tries_as_many_as_asked(local: Any) -> None:
    described = tune(local, tuning_request(local, RANGES, jobs=6, strategy="Bayesian"))
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 6
    assert described["BestTrainingJob"]


ROUNDS = """
import os, time
bad = os.environ["SM_HP_KIND"] != "good"
for count in range(9):
    print("score=%s;" % (0.1 if bad else 0.5 + count / 100), flush=True)
    time.sleep(0.2)
print("done")
"""


@pytest.mark.parametrize(
    "change",
    [
        {"TrainingJobEarlyStoppingType": "Auto", "Strategy": "Grid"},
        pytest.param(
            {
                "Strategy": "Hyperband",
                "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 10}},
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["early stopping", "Hyperband"],
)
def test_a_bad_job_is_stopped_while_it_learns(local: Any, change: dict[str, Any]) -> None:
    values = ["good", "bad"] if change["Strategy"] == "Grid" else ["bad", "worse", "good"]
    ranges = {"CategoricalParameterRanges": [{"Name": "kind", "Values": values}]}
    jobs = 2 if change["Strategy"] == "Grid" else 9
    request = tuning_request(local, ranges, jobs=jobs, parallel=1, program=ROUNDS)
    request["HyperParameterTuningJobConfig"] |= change
    described = tune(local, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed", described
    listed = local.client().list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=request["HyperParameterTuningJobName"]
    )["TrainingJobSummaries"]
    stopped = [item for item in listed if item["TrainingJobStatus"] == "Stopped"]
    assert stopped
    assert all("FinalHyperParameterTuningJobObjectiveMetric" not in item for item in stopped)
    assert described["TrainingJobStatusCounters"]["Stopped"] == len(stopped)
    assert described["BestTrainingJob"]["TunedHyperParameters"]["kind"] == "good"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Strategy": "Hyperband"}, "Hyperband needs StrategyConfig.HyperbandStrategyConfig.MaxResource"),
        ({"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "must be Off to use Strategy Hyperband"),
        ({"StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 9}}}, "supported for Strategy Hyperband only"),
        ({"Strategy": "Hyperband", "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 9, "MaxResource": 3}}},
         "MinResource must not exceed MaxResource"),
        ({"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"}}, "'auc' is not among"),
        ({"ParameterRanges": {"IntegerParameterRanges": [{"Name": "n", "MinValue": "5", "MaxValue": "1"}]}},
         "must not exceed MaxValue: 5 > 1"),
        ({"Strategy": "Grid"}, "Grid supports CategoricalParameterRanges only"),
    ],
)  # fmt: skip
def test_refusals(local: Any, change: dict[str, Any], message: str) -> None:
    request = tuning_request(local, RANGES, jobs=2)
    request["HyperParameterTuningJobConfig"] |= change
    with pytest.raises(ClientError, match="ValidationException") as caught:
        local.client().create_hyper_parameter_tuning_job(**request)
    assert message in str(caught.value)


def tune(local: Any, request: dict[str, Any]) -> dict[str, Any]:
    arn = local.client().create_hyper_parameter_tuning_job(**request)["HyperParameterTuningJobArn"]
    local.sagemaker.wait_for_job(arn)
    described: dict[str, Any] = local.client().describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=request["HyperParameterTuningJobName"]
    )
    return described


def tuning_request(
    local: Any,
    ranges: dict[str, Any],
    *,
    jobs: int,
    parallel: int = 2,
    strategy: str = "Random",
    program: str = TRAIN,
) -> dict[str, Any]:
    training = local.training_request(program)
    return {
        "HyperParameterTuningJobName": f"tune-{uuid.uuid4().hex[:8]}",
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
            "ParameterRanges": ranges,
            "RandomSeed": 1,
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": training["HyperParameters"],
            "AlgorithmSpecification": training["AlgorithmSpecification"]
            | {"MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.e-]+);"}]},
            "RoleArn": training["RoleArn"],
            "OutputDataConfig": training["OutputDataConfig"],
            "ResourceConfig": training["ResourceConfig"],
            "StoppingCondition": training["StoppingCondition"],
        },
    }
