import json
import os
from typing import Any

import pytest

from ml_code.pipeline.compute import Compute
from ml_code.pipeline.definition import pipeline_definition, scikit_learn_image_uri
from ml_code.pipeline.settings import PipelineSettings
from ml_code.spec import ModelSpec, SpecError
from tests.pipeline_requests import all_steps, dangling_references, invalid_requests, references

SETTINGS = PipelineSettings(
    pipeline_name="model-factory",
    model_name="digits",
    region="eu-central-1",
    role_arn="${Token[ExecutionRole.Arn.1]}",
    artifact_bucket="${Token[TOKEN.2]}",
    mlflow_tracking_uri="${Token[TOKEN.3]}",
    image_uri="1.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
)


@pytest.fixture(scope="module")
def definition(spec: ModelSpec) -> dict[str, Any]:
    return dict(json.loads(pipeline_definition(spec, SETTINGS)))


@pytest.fixture(scope="module")
def steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return all_steps(definition)


def test_the_definition_depends_on_its_arguments_only(
    spec: ModelSpec, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    assert json.loads(pipeline_definition(spec, SETTINGS)) == definition
    assert dict(os.environ) == before


def test_steps_parameters_and_branches(definition: dict[str, Any], steps: dict[str, Any]) -> None:
    assert [step["Name"] for step in definition["Steps"]] == ["Preprocess", "Tune", "Evaluate", "Gate"]
    assert set(steps) == {"Preprocess", "Tune", "Evaluate", "Gate", "Register", "GateFailed"}
    assert definition["Parameters"] == [
        {"Name": "CodeUri", "Type": "String"},
        {"Name": "DataUri", "Type": "String"},
        {"Name": "DataVersion", "Type": "String"},
        {"Name": "CommitId", "Type": "String"},
        {"Name": "TriggerReason", "Type": "String", "DefaultValue": "manual"},
    ]
    assert definition["PipelineExperimentConfig"] is None


def test_each_request_has_the_shape_that_the_service_takes(definition: dict[str, Any]) -> None:
    assert invalid_requests(definition) == []


def test_each_property_reference_is_in_the_service_s_answer(definition: dict[str, Any]) -> None:
    assert dangling_references(definition) == []


def test_a_wrong_request_and_a_wrong_reference_are_found(definition: dict[str, Any]) -> None:
    text = json.dumps(definition)
    assert invalid_requests(json.loads(text.replace('"RoleArn"', '"Role"')))
    assert dangling_references(json.loads(text.replace(".ExitMessage", ".LastWords")))


def test_the_tuning_job_is_what_model_yaml_says(spec: ModelSpec, steps: dict[str, Any]) -> None:
    config = steps["Tune"]["Arguments"]["HyperParameterTuningJobConfig"]
    assert config["ResourceLimits"] == {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 2}
    assert config["RandomSeed"] == spec.seed
    ranges = config["ParameterRanges"]
    assert {"Name": "alpha", "MinValue": "0.01", "MaxValue": "1.0", "ScalingType": "Logarithmic"} in ranges[
        "ContinuousParameterRanges"
    ]
    static = steps["Tune"]["Arguments"]["TrainingJobDefinition"]["StaticHyperParameters"]
    assert static["sagemaker_program"] == "entry_point.py"
    environment = steps["Tune"]["Arguments"]["TrainingJobDefinition"]["Environment"]
    assert environment["JOB_MODULE"] == "ml_code.jobs.train"


GRID = {
    "alpha": {"type": "categorical", "values": [0.1, 1.0]},
    "solver": {"type": "categorical", "values": ["adam", "sgd"]},
}
ROUNDS = {"n_estimators": {"type": "integer", "minimum": 20, "maximum": 60}}


@pytest.mark.parametrize(
    ("tuning", "search", "expected"),
    [
        ({"strategy": "Grid"}, GRID, {"Strategy": "Grid", "TrainingJobEarlyStoppingType": "Off"}),
        (
            {"strategy": "Hyperband", "max_jobs": 9, "min_rounds": 3},
            ROUNDS,
            {
                "Strategy": "Hyperband",
                "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 3, "MaxResource": 62}},
                "TrainingJobEarlyStoppingType": "Off",
            },
        ),
        (
            {"strategy": "Bayesian", "max_jobs": 9, "early_stopping": True},
            ROUNDS,
            {"Strategy": "Bayesian", "TrainingJobEarlyStoppingType": "Auto"},
        ),
    ],
)
def test_each_strategy_has_the_fields_of_the_service(
    spec: ModelSpec, tuning: dict[str, Any], search: dict[str, Any], expected: dict[str, Any]
) -> None:
    estimator = spec.estimator if search is GRID else "xgboost.XGBClassifier"
    document = {**spec.model_dump(), "estimator": estimator, "hyperparameters": {}, "search": search}
    searching = ModelSpec.model_validate({**document, "tuning": {**tuning, "max_parallel_jobs": 2}})
    definition = json.loads(pipeline_definition(searching, SETTINGS))
    assert invalid_requests(definition) == []
    config = all_steps(definition)["Tune"]["Arguments"]["HyperParameterTuningJobConfig"]
    assert {name: config.get(name) for name in expected} == expected
    assert ("StrategyConfig" in config) == ("StrategyConfig" in expected)
    jobs = {"MaxNumberOfTrainingJobs": 9} if "max_jobs" in tuning else {}
    assert config["ResourceLimits"] == {"MaxParallelTrainingJobs": 2, **jobs}


def _steps(spec: ModelSpec, **compute: Any) -> dict[str, dict[str, Any]]:
    settings = SETTINGS.model_copy(update={"compute": Compute.model_validate(compute)})
    definition = json.loads(pipeline_definition(spec, settings))
    return {step["Name"]: step for step in definition["Steps"]}


def test_each_step_has_its_own_compute(spec: ModelSpec) -> None:
    steps = _steps(
        spec,
        preprocess={
            "instance_type": "ml.m5.xlarge",
            "instance_count": 2,
            "max_runtime_seconds": 600,
            "volume_gb": 100,
        },
        training={
            "instance_type": "ml.c5.xlarge",
            "spot": False,
            "instance_count": 1,
            "max_runtime_seconds": 700,
            "volume_gb": 60,
        },
        evaluate={"instance_type": "ml.m5.2xlarge", "max_runtime_seconds": 800},
    )
    found = {}
    for name in ("Preprocess", "Evaluate"):
        arguments = steps[name]["Arguments"]
        cluster = arguments["ProcessingResources"]["ClusterConfig"]
        runtime = arguments["StoppingCondition"]["MaxRuntimeInSeconds"]
        found[name] = (
            cluster["InstanceType"],
            cluster["InstanceCount"],
            runtime,
            cluster["VolumeSizeInGB"],
        )
    training = steps["Tune"]["Arguments"]["TrainingJobDefinition"]
    resources = training["ResourceConfig"]
    assert found == {"Preprocess": ("ml.m5.xlarge", 2, 600, 100), "Evaluate": ("ml.m5.2xlarge", 1, 800, 30)}
    assert (resources["InstanceType"], resources["InstanceCount"]) == ("ml.c5.xlarge", 1)
    assert resources["VolumeSizeInGB"] == 60
    assert training["StoppingCondition"] == {"MaxRuntimeInSeconds": 700}


def test_spot_training_waits_and_keeps_checkpoints_for_each_execution(spec: ModelSpec) -> None:
    steps = _steps(spec, training={"spot": {"max_wait_seconds": 9000}})
    training = steps["Tune"]["Arguments"]["TrainingJobDefinition"]
    assert training["EnableManagedSpotTraining"] is True
    assert training["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 9000}
    checkpoints = training["CheckpointConfig"]
    assert checkpoints["LocalPath"] == training["Environment"]["CHECKPOINT_DIR"] == "/opt/ml/checkpoints"
    parts = checkpoints["S3Uri"]["Std:Join"]["Values"]
    assert parts[2:] == ["runs/digits", {"Get": "Execution.PipelineExecutionId"}, "checkpoints"]
    assert invalid_requests({"Steps": list(steps.values())}) == []


def test_a_warm_pool_reaches_the_training_jobs(spec: ModelSpec) -> None:
    steps = _steps(spec, training={"spot": False, "keep_alive_seconds": 600})
    resources = steps["Tune"]["Arguments"]["TrainingJobDefinition"]["ResourceConfig"]
    assert resources["KeepAlivePeriodInSeconds"] == 600


def test_the_cached_step_is_found_by_code_and_content_of_the_data(spec: ModelSpec) -> None:
    steps = _steps(spec, cache_days=30)
    cached = {name for name, step in steps.items() if step.get("CacheConfig", {}).get("Enabled")}
    assert cached == {"Preprocess"}
    assert steps["Preprocess"]["CacheConfig"]["ExpireAfter"] == "P30D"
    names = set(references(steps["Preprocess"]["Arguments"]["AppSpecification"]))
    assert "Parameters.DataVersion" in names


def test_the_gate_compares_with_the_threshold_and_with_production(
    spec: ModelSpec, steps: dict[str, Any]
) -> None:
    compared = {
        condition["LeftValue"]["Std:JsonGet"]["Path"]: (condition["Type"], condition["RightValue"])
        for condition in steps["Gate"]["Arguments"]["Conditions"]
    }
    assert compared == {
        "gate.value": ("GreaterThanOrEqualTo", spec.gate.threshold),
        "gate.improvement_beyond_chance": ("GreaterThanOrEqualTo", -spec.gate.tolerance),
    }
    message = steps["GateFailed"]["Arguments"]["ErrorMessage"]["Std:Join"]["Values"]
    assert message == [
        {"Get": "Steps.Evaluate.ExitMessage"},
        "The gate asks for accuracy >= 0.95 and at most 0.02 below production.",
    ]


@pytest.mark.parametrize("mode", ["dry_run", "disabled"])
def test_without_a_gate_every_model_is_registered(spec: ModelSpec, mode: str) -> None:
    open_gate = spec.model_copy(update={"gate": spec.gate.model_copy(update={"mode": mode})})
    definition = json.loads(pipeline_definition(open_gate, SETTINGS))
    assert [step["Name"] for step in definition["Steps"]] == ["Preprocess", "Tune", "Evaluate", "Register"]
    assert invalid_requests(definition) == []
    assert dangling_references(definition) == []


def test_tokens_of_the_stack_stay_whole(definition: dict[str, Any], steps: dict[str, Any]) -> None:
    assert steps["Tune"]["Arguments"]["TrainingJobDefinition"]["RoleArn"] == SETTINGS.role_arn
    assert steps["Preprocess"]["Arguments"]["RoleArn"] == SETTINGS.role_arn
    assert "role/replaced" not in json.dumps(definition)


def test_several_instances_share_the_data(spec: ModelSpec) -> None:
    boosted = spec.model_copy(update={"estimator": "xgboost.XGBClassifier", "scaler": None})
    steps = _steps(boosted, preprocess={"instance_count": 3}, training={"instance_count": 2})
    preprocess, tune = (steps[name]["Arguments"] for name in ("Preprocess", "Tune"))
    distributions = {
        item["InputName"]: item["S3Input"].get("S3DataDistributionType")
        for item in preprocess["ProcessingInputs"]
    }
    assert distributions == {"code": "FullyReplicated", "data": "ShardedByS3Key"}
    words = preprocess["AppSpecification"]["ContainerArguments"]
    assert words[words.index("--train-shards") + 1] == "2"
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3DataDistributionType"]
        for channel in tune["TrainingJobDefinition"]["InputDataConfig"]
    }
    assert channels == {
        "train": "ShardedByS3Key",
        "validation": "FullyReplicated",
        "dataset": "FullyReplicated",
    }
    assert tune["TrainingJobDefinition"]["ResourceConfig"]["InstanceCount"] == 2
    assert invalid_requests({"Steps": list(steps.values())}) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "compute.training.instance_count is 2, and sklearn.neural_network.MLPClassifier trains on one instance"),
        ({"estimator": "lightgbm.LGBMClassifier"}, "lightgbm.LGBMClassifier trains on one instance; allowed: 1"),
        ({"estimator": "xgboost.XGBClassifier"}, "scaler is sklearn.preprocessing.StandardScaler, which would see"),
    ],
)  # fmt: skip
def test_what_several_instances_cannot_train_is_refused(
    spec: ModelSpec, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SpecError, match=sentence):
        _steps(spec.model_copy(update=changes), training={"instance_count": 2})


def test_a_region_without_the_image_is_refused() -> None:
    assert scikit_learn_image_uri("eu-central-1").endswith("/sagemaker-scikit-learn:1.9-0-cpu-py3")
    with pytest.raises(ValueError, match="region is 'mars-north-1', allowed is one with"):
        scikit_learn_image_uri("mars-north-1")
