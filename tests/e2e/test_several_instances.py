"""A delivery whose preprocess and training jobs have two instances each, of flights in three files, to production."""

import json
import shutil
import sys
from typing import Any

import boto3
import pytest
from ruamel.yaml import YAML

from ml_code.contracts import Output, Prefix, of_model, resource_prefix
from ml_code.spec import find_model
from operations.factory import deployed_factory
from operations.failures import failure_lines
from tests.e2e.conftest import NAME, Workspace, pipeline_executions
from tests.e2e.sample import PROJECT

pytestmark = [pytest.mark.e2e, pytest.mark.local_aws]
FILES = 3
SEARCH = """
learning_rate: {type: continuous, minimum: 0.05, maximum: 0.2, scale: logarithmic}
n_estimators: {type: integer, minimum: 50, maximum: 150}
"""


def use_flights(workspace: Workspace) -> None:
    """The sample of flights, trained by XGBoost, in the place of the clone's model."""
    shutil.rmtree(find_model(workspace.directory))
    folder = workspace.directory / "models/flights"
    shutil.copytree(PROJECT / "examples/flights", folder)
    yaml = YAML()
    document = yaml.load(folder / "model.yaml")
    document["estimator"] = "xgboost.XGBClassifier"
    document["hyperparameters"] = {"max_depth": 4, "n_jobs": 1}
    document["search"] = yaml.load(SEARCH)
    document["tuning"] = {"strategy": "Random", "max_jobs": 2, "max_parallel_jobs": 2}
    yaml.dump(document, folder / "model.yaml")
    header, *rows = (folder / "data/flights.csv").read_text().splitlines(keepends=True)
    (folder / "data/flights.csv").unlink()
    for number in range(FILES):
        (folder / f"data/flights-{number}.csv").write_text("".join([header, *rows[number::FILES]]))


def test_two_instances_prepare_and_train_what_reaches_production(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.e2e.conftest.PREFIX", resource_prefix(NAME, "flights"))
    use_flights(workspace)
    workspace.configure(
        {
            "compute.preprocess.instance_count": 2,
            "compute.training.instance_count": 2,
        }
    )
    workspace.skip_build_tests()
    workspace.run("git", "add", "--all")
    workspace.run("git", "commit", "--quiet", "--message", "Train on two instances")
    workspace.cdk("synth", "--quiet")
    workspace.run(sys.executable, "-m", "operations.quotas", "--request", check=False)
    workspace.run(sys.executable, "-m", "operations.bootstrap")
    workspace.cdk("deploy", "--app", "cdk.out", "--require-approval", "never")
    execution = workspace.next_execution()
    status, _ = workspace.finish(execution)
    assert status == "Succeeded", "\n".join(failure_lines(resource_prefix(NAME, "flights"), execution))
    dataset, names = outputs()
    assert dataset["preprocess"]["hosts"] == 2
    assert [each["name"] for each in dataset["files"]] == [f"flights-{number}.csv" for number in range(FILES)]
    assert sum(each["rows"] for each in dataset["files"]) == sum(dataset["rows"].values()) == 3500
    assert sorted(name for name in names if "/train/" in name) == [
        f"preprocess/train/train-0000{host}-0000{shard}.parquet" for host in range(2) for shard in range(2)
    ]
    logged = training_log()
    assert any("with 2 hosts" in line for line in logged)
    assert any("algo-1 saves the model" in line for line in logged)
    workspace.run(sys.executable, "-m", "operations.verify")


def outputs() -> tuple[dict[str, Any], list[str]]:
    """dataset.json and the names of what the execution's steps wrote."""
    s3, bucket = boto3.client("s3"), deployed_factory().output(Output.ARTIFACT_BUCKET_NAME)
    run = pipeline_executions()[-1]["PipelineExecutionArn"].rpartition("/")[2]
    prefix = f"{of_model(Prefix.RUNS, 'flights')}{run}/"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}preprocess/")["Contents"]
    body = s3.get_object(Bucket=bucket, Key=f"{prefix}preprocess/dataset/dataset.json")["Body"].read()
    return json.loads(body), [found["Key"].removeprefix(prefix) for found in listed]


def training_log() -> list[str]:
    events = boto3.client("logs").filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs")["events"]
    return [event["message"] for event in events]
