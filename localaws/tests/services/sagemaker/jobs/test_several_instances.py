"""Jobs on several instances: a host each, with names, shares of the input and logs of their own."""

import io
import json
import tarfile
import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.sagemaker.conftest import BUCKET, IMAGE, Local

CLUSTER = {"InstanceCount": 3, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
TALK = """
import json, os, pathlib, socket, sys, time
hosts = json.load(open("{config}"))
me, names = hosts["current_host"], hosts["hosts"]
data = pathlib.Path("{data}")
seen = sorted(path.name for path in data.rglob("*") if path.is_file())
listener = socket.create_server((me, 8786))
if me == names[0]:
    told = [seen]
    for _ in names[1:]:
        connection, _ = listener.accept()
        told.append(json.loads(connection.makefile().readline()))
else:
    while True:
        try:
            connection = socket.create_connection((names[0], 8786))
            break
        except OSError:
            time.sleep(0.1)
    connection.sendall(json.dumps(seen).encode() + b"\\n")
    told = []
out = pathlib.Path("{out}", f"{{me}}.json")
out.write_text(json.dumps([names, sorted(told)]))
print("this is", me)
"""


DATA = "/opt/ml/processing/input/data"
CODE = "/opt/ml/processing/input/code"


def s3_input(prefix: str, path: str, distribution: str) -> dict[str, Any]:
    source = {"S3Uri": f"s3://{BUCKET}/{prefix}/", "LocalPath": path, "S3DataType": "S3Prefix"}
    return {
        "InputName": path.rpartition("/")[2],
        "S3Input": {**source, "S3InputMode": "File", "S3DataDistributionType": distribution},
    }


def processing(local: Local, script: str, *inputs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    prefix = uuid.uuid4().hex
    local.put(f"{prefix}/run.py", script)
    return local.processing_request(
        "",
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", f"{CODE}/run.py"]},
        ProcessingInputs=[s3_input(prefix, CODE, "FullyReplicated"), *inputs],
        ProcessingResources={"ClusterConfig": CLUSTER},
        **changes,
    )


def streams(local: Local, group: str, job: str) -> list[str]:
    found = local.client("logs").describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")
    return sorted(stream["logStreamName"].split("/")[1][:6] for stream in found["logStreams"])


def test_hosts_of_a_processing_job_share_the_input_and_find_each_other(local: Local) -> None:
    for number in range(5):
        local.put(f"shards/{number}.csv", "x")
    script = TALK.format(
        config="/opt/ml/config/resourceconfig.json", data=DATA, out="/opt/ml/processing/output/out"
    )
    request = processing(local, script, s3_input("shards", DATA, "ShardedByS3Key"))
    described = local.process(request)
    name = described["ProcessingJobName"]
    log = local.log_lines("/aws/sagemaker/ProcessingJobs", name)
    assert described["ProcessingJobStatus"] == "Completed", log
    names = ["algo-1", "algo-2", "algo-3"]
    assert local.keys(f"{name}/out") == [f"{name}/out/{host}.json" for host in names]
    told = json.loads(local.get(f"{name}/out/algo-1.json"))
    assert told == [names, [["0.csv", "3.csv"], ["1.csv", "4.csv"], ["2.csv"]]]
    assert streams(local, "/aws/sagemaker/ProcessingJobs", name) == names


def test_a_host_without_a_shard_has_an_empty_folder(local: Local) -> None:
    local.put("one/only.csv", "x")
    script = f"import os; print(len(os.listdir('{DATA}')), 'files')"
    described = local.process(processing(local, script, s3_input("one", DATA, "ShardedByS3Key")))
    lines = local.log_lines("/aws/sagemaker/ProcessingJobs", described["ProcessingJobName"])
    assert sorted(lines) == ["0 files", "0 files", "1 files"]


def test_a_host_that_fails_ends_the_others_and_the_job(local: Local) -> None:
    script = """
import json, os, pathlib, time
if json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"] == "algo-2":
    pathlib.Path("/opt/ml/output/message").write_text("algo-2 has no more memory")
    os._exit(3)
time.sleep(300)
"""
    start = time.monotonic()
    described = local.process(processing(local, script))
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("AlgorithmError")
    assert described["ExitMessage"] == "algo-2 has no more memory"
    assert time.monotonic() - start < 60


def test_a_stopped_job_ends_on_all_hosts(local: Local) -> None:
    request = processing(local, "import time; print('here', flush=True); time.sleep(300)")
    name = request["ProcessingJobName"]
    arn = local.client().create_processing_job(**request)["ProcessingJobArn"]
    while True:
        try:
            if len(local.log_lines("/aws/sagemaker/ProcessingJobs", name)) == 3:
                break
        except ClientError:  # nothing was written yet
            pass
        time.sleep(0.1)
    local.client().stop_processing_job(ProcessingJobName=name)
    local.sagemaker.wait_for_job(arn)
    described = local.client().describe_processing_job(ProcessingJobName=name)
    assert described["ProcessingJobStatus"] == "Stopped"


def test_hosts_of_a_training_job_share_a_channel_and_their_models_are_one_archive(local: Local) -> None:
    for number in range(2):
        local.put(f"channel/{number}.csv", "x")
    script = TALK.format(
        config="/opt/ml/input/config/resourceconfig.json",
        data="/opt/ml/input/data/train",
        out="/opt/ml/model",
    )
    script += """
assert json.loads(os.environ["SM_HOSTS"]) == names and os.environ["SM_CURRENT_HOST"] == me, dict(os.environ)
pathlib.Path("/opt/ml/model/same.txt").write_text(me)
"""
    source = {
        "S3Uri": f"s3://{BUCKET}/channel/",
        "S3DataType": "S3Prefix",
        "S3DataDistributionType": "ShardedByS3Key",
    }
    request = local.training_request(
        script,
        ResourceConfig={**CLUSTER, "InstanceCount": 2},
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
    )
    described = local.train(request)
    name = described["TrainingJobName"]
    log = local.log_lines("/aws/sagemaker/TrainingJobs", name)
    assert described["TrainingJobStatus"] == "Completed", log
    with tarfile.open(fileobj=io.BytesIO(local.get(f"models/{name}/output/model.tar.gz"))) as archive:
        assert sorted(archive.getnames()) == ["algo-1.json", "algo-2.json", "same.txt"]
        told = archive.extractfile("algo-1.json")
        last = archive.extractfile("same.txt")
        assert told is not None
        assert last is not None
        assert json.load(told) == [["algo-1", "algo-2"], [["0.csv"], ["1.csv"]]]
        assert last.read() == b"algo-2"
    assert streams(local, "/aws/sagemaker/TrainingJobs", name) == ["algo-1", "algo-2"]


def test_a_training_host_that_is_killed_fails_the_job(local: Local) -> None:
    script = """
import os, signal, time
if os.environ["SM_CURRENT_HOST"] == "algo-2":
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(300)
"""
    request = local.training_request(script, ResourceConfig={**CLUSTER, "InstanceCount": 2})
    start = time.monotonic()
    described = local.train(request)
    assert described["TrainingJobStatus"] == "Failed"
    assert "AlgorithmError" in described["FailureReason"]
    assert time.monotonic() - start < 60


def test_the_reason_of_a_training_host_is_in_its_log_and_the_toolkit_s_in_the_job(local: Local) -> None:
    script = """
import os, sys, time
if os.environ["SM_CURRENT_HOST"] == "algo-2":
    sys.exit("train: algo-3 is lost: its process ended")
time.sleep(300)
"""
    request = local.training_request(script, ResourceConfig={**CLUSTER, "InstanceCount": 2})
    start = time.monotonic()
    described = local.train(request)
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("AlgorithmError: framework error")
    lines = local.log_lines("/aws/sagemaker/TrainingJobs", described["TrainingJobName"])
    assert "train: algo-3 is lost: its process ended" in lines
    assert time.monotonic() - start < 60


def test_hosts_need_names_which_this_machine_s_packages_alone_do_not_give(small_local: Local) -> None:
    described = small_local.process(processing(small_local, "print()"))
    assert "cannot give the hosts of a job names" in described["FailureReason"]


def test_several_instances_without_a_network_are_refused(local: Local) -> None:
    request = processing(local, "print()", NetworkConfig={"EnableNetworkIsolation": True})
    with pytest.raises(ClientError, match="EnableNetworkIsolation with several instances"):
        local.client().create_processing_job(**request)
