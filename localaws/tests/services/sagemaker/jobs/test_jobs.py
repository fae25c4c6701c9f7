"""Processing and training jobs, as the SageMaker developer guide describes their containers."""

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

BUCKET = "data-for-jobs"


def test_processing_moves_data_in_and_out(each_local: Any) -> None:
    each_local.put("raw/a.csv", "1,2")
    each_local.put("raw/deep/b.csv", "3")
    script = (
        "import pathlib, sys; root = pathlib.Path(sys.argv[1])\n"
        "names = sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file())\n"
        "(pathlib.Path(sys.argv[2]) / 'names.txt').write_text(' '.join(names))\n"
        "print('hello', 'log')"
    )
    request = each_local.processing_request(script)
    request["AppSpecification"]["ContainerArguments"] = [
        "/opt/ml/processing/input/raw",
        "/opt/ml/processing/output/out",
    ]
    request["ProcessingInputs"] = [processing_input(f"s3://{BUCKET}/raw/")]
    described = each_local.process(request)
    assert described["ProcessingJobStatus"] == "Completed", described
    name = request["ProcessingJobName"]
    assert each_local.get(f"{name}/out/names.txt") == b"a.csv deep/b.csv"
    assert each_local.log_lines("/aws/sagemaker/ProcessingJobs", f"{name}/algo-1-") == ["hello log"]


def test_processing_sees_only_what_sagemaker_gives(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "1")
    script = (
        "import json, os, pathlib, sys\n"
        "pathlib.Path(os.environ['OUT'], 'env.json').write_text(json.dumps(dict(os.environ)))"
    )
    request = local.processing_request(script, Environment={"OUT": "/opt/ml/processing/output/out"})
    assert local.process(request)["ProcessingJobStatus"] == "Completed"
    environment = json.loads(local.get(f"{request['ProcessingJobName']}/out/env.json"))
    assert "SECRET_OF_THE_SHELL" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] != local.account.administrator.access_key_id
    assert environment["AWS_ENDPOINT_URL"] == local.account.endpoint_url
    assert environment["PYTHONUNBUFFERED"] == "1"


def test_processing_failure_has_reason_and_exit_message(each_local: Any) -> None:
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('out of beans'); sys.exit(3)"
    request = each_local.processing_request(script)
    request["AppSpecification"]["ContainerArguments"] = ["/opt/ml/output/message"]
    described = each_local.process(request)
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert described["ExitMessage"] == "out of beans"


def test_processing_names_the_missing_input(local: Any) -> None:
    request = local.processing_request("", ProcessingInputs=[processing_input(f"s3://{BUCKET}/nothing/")])
    described = local.process(request)
    assert described["ProcessingJobStatus"] == "Failed"
    assert f'No S3 objects found under S3 URL "s3://{BUCKET}/nothing/"' in described["FailureReason"]


def test_processing_downloads_with_the_roles_permissions(
    local: Any, make_role: Callable[[list[dict[str, Any]]], str]
) -> None:
    local.put("secret/a.csv", "1")
    role = make_role([{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])
    request = local.processing_request(
        "", RoleArn=role, ProcessingInputs=[processing_input(f"s3://{BUCKET}/secret/")]
    )
    described = local.process(request)
    assert described["ProcessingJobStatus"] == "Failed"
    assert "AccessDenied" in described["FailureReason"]
    assert "s3:ListBucket" in described["FailureReason"]


def test_processing_stops_when_the_time_is_up(local: Any) -> None:
    request = local.processing_request(
        "import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    assert local.process(request)["ProcessingJobStatus"] == "Stopped"


def test_stop_processing_job(local: Any, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    request = local.processing_request("import time; print('up'); time.sleep(60)")
    sagemaker = local.client()
    arn = sagemaker.create_processing_job(**request)["ProcessingJobArn"]
    name = request["ProcessingJobName"]
    wait_until(lambda: "ProcessingStartTime" in sagemaker.describe_processing_job(ProcessingJobName=name))
    sagemaker.stop_processing_job(ProcessingJobName=name)
    local.sagemaker.wait_for_job(arn)
    assert sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"AppSpecification": {"ImageUri": "alpine:3", "ContainerEntrypoint": ["sh"]}}, "does not support image"),
        ({"ProcessingJobName": "no_underscores"}, "Member must satisfy regular expression pattern"),
        ({"ProcessingInputs": [{"InputName": "x", "S3Input": {"S3Uri": "s3://b/k", "S3DataType": "ManifestFile",
          "LocalPath": "/opt/ml/processing/x"}}]}, "S3DataType S3Prefix; got 'ManifestFile'"),
        ({"ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.huge",
          "VolumeSizeInGB": 5}}}, "Member must satisfy enum value set"),
    ],
)  # fmt: skip
def test_processing_refusals(local: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match="ValidationException") as caught:
        local.client().create_processing_job(**local.processing_request("", **change))
    assert message in str(caught.value)


def test_job_names_are_unique_and_missing_jobs_named(local: Any) -> None:
    request = local.processing_request("")
    local.process(request)
    with pytest.raises(ClientError, match="ResourceInUse"):
        local.client().create_processing_job(**request)
    with pytest.raises(ClientError, match="Could not find requested job with name: nope"):
        local.client().describe_processing_job(ProcessingJobName="nope")


TRAIN = """
import json, os, pathlib, sys
keys = ("SM_CHANNELS", "SM_CHANNEL_TRAIN", "SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR", "SM_HPS", "SM_HP_DEPTH",
        "SM_CURRENT_HOST", "SM_NUM_CPUS", "SM_USER_ARGS", "TRAINING_JOB_NAME", "SM_MODULE_NAME")
seen = {key: os.environ[key] for key in keys}
seen["argv"] = sys.argv
seen["train"] = sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
config = pathlib.Path(os.environ["SM_INPUT_CONFIG_DIR"])
seen["files"] = {name: json.loads((config / (name + ".json")).read_text())
                 for name in ("hyperparameters", "resourceconfig", "inputdataconfig")}
pathlib.Path(os.environ["SM_MODEL_DIR"], "seen.json").write_text(json.dumps(seen))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "extra.txt").write_text("more")
print("validation_accuracy=0.5;")
print("validation_accuracy=0.75;")
"""


def test_training_in_script_mode(each_local: Any) -> None:
    each_local.put("train/rows.csv", "1")
    request = each_local.training_request(TRAIN)
    request["HyperParameters"] |= {"depth": "3", "a": "x", "name": '"quoted"'}
    request["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "validation:accuracy", "Regex": "validation_accuracy=([0-9.]+);"}
    ]
    request["InputDataConfig"] = [channel("train", f"s3://{BUCKET}/train/")]
    described = each_local.train(request)
    assert described["TrainingJobStatus"] == "Completed", described
    assert described["SecondaryStatus"] == "Completed"
    name = request["TrainingJobName"]
    assert (
        described["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/models/{name}/output/model.tar.gz"
    )
    assert described["FinalMetricDataList"][0]["Value"] == 0.75
    transitions = [item["Status"] for item in described["SecondaryStatusTransitions"]]
    assert transitions == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    with tarfile.open(fileobj=io.BytesIO(each_local.get(f"models/{name}/output/model.tar.gz"))) as tar:
        seen = json.loads(tar.extractfile("seen.json").read())  # type: ignore[union-attr]
    assert seen["argv"] == ["train.py", "-a", "x", "--depth", "3", "--name", "quoted"]
    assert seen["train"] == ["rows.csv"]
    assert seen["SM_CHANNELS"] == '["train"]'
    assert json.loads(seen["SM_HPS"]) == {"a": "x", "depth": 3, "name": "quoted"}
    assert seen["SM_HP_DEPTH"] == "3"
    assert seen["SM_CURRENT_HOST"] == "algo-1"
    assert seen["SM_MODULE_NAME"] == "train"
    assert seen["TRAINING_JOB_NAME"] == name
    assert seen["files"]["hyperparameters"]["depth"] == "3"
    assert seen["files"]["resourceconfig"]["hosts"] == ["algo-1"]
    assert seen["files"]["inputdataconfig"]["train"]["TrainingInputMode"] == "File"
    assert f"models/{name}/output/output.tar.gz" in each_local.keys(f"models/{name}/")


def test_training_reports_the_exception(local: Any) -> None:
    """As AWS's toolkit writes it (amazon-sagemaker-examples#1740): the script's own words are in the log only."""
    request = local.training_request("raise ValueError('no such column: foo')")
    described = local.train(request)
    assert described["TrainingJobStatus"] == "Failed"
    reason = described["FailureReason"]
    assert reason.startswith("AlgorithmError: framework error: \nTraceback (most recent call last):")
    assert "sagemaker_containers/_trainer.py" in reason
    lines = local.log_lines("/aws/sagemaker/TrainingJobs", f"{request['TrainingJobName']}/algo-1-")
    assert "ValueError: no such column: foo" in lines


def test_training_past_its_time_is_stopped_and_keeps_its_model(local: Any) -> None:
    source = (
        "import os, pathlib, time\n"
        "pathlib.Path(os.environ['SM_MODEL_DIR'], 'half').write_text('x')\n"
        "time.sleep(60)"
    )
    request = local.training_request(source, StoppingCondition={"MaxRuntimeInSeconds": 8})
    described = local.train(request)
    assert described["TrainingJobStatus"] == "Stopped"
    assert described["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert local.keys(f"models/{request['TrainingJobName']}/output/model.tar.gz")


CHECKPOINTED = """
import os, pathlib, time
folder = pathlib.Path(os.environ["CHECKPOINTS"])
done = sorted(path.name for path in folder.iterdir())
print("found", done)
(folder / f"epoch-{len(done)}").write_text("weights")
time.sleep(3 if os.environ.get("SM_HP_SLEEP") else 0)
assert not os.environ.get("SM_HP_SLEEP"), "taken away"
"""


def test_checkpoints_outlive_a_failed_job(local: Any) -> None:
    spot = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/spot/checkpoints/", "LocalPath": "/opt/ml/checkpoints"},
        "Environment": {"CHECKPOINTS": "/opt/ml/checkpoints"},
    }
    first = local.training_request(CHECKPOINTED, **spot)
    first["HyperParameters"]["sleep"] = "1"
    assert local.train(first)["TrainingJobStatus"] == "Failed"
    assert local.keys("spot/checkpoints/") == ["spot/checkpoints/epoch-0"]
    assert local.train(local.training_request(CHECKPOINTED, **spot))["TrainingJobStatus"] == "Completed"
    assert local.keys("spot/checkpoints/") == ["spot/checkpoints/epoch-0", "spot/checkpoints/epoch-1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds. It must be present"),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            "greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "must not be present when EnableManagedSpotTraining is False",
        ),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
                "ResourceConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 5,
                    "KeepAlivePeriodInSeconds": 60,
                },
            },
            "not supported with managed spot training",
        ),
    ],
)
def test_spot_refusals(local: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        local.client().create_training_job(**local.training_request("", **change))


def processing_input(uri: str) -> dict[str, Any]:
    return {
        "InputName": "raw",
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": "/opt/ml/processing/input/raw",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
