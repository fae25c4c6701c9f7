"""What the teardown removes, and what it leaves alone (over 300 lines: one account and its helpers for all of it)."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from stacks.teardown.function import deadline
from stacks.teardown.function.jobs import Jobs
from tests.options.functions import load_function
from tests.stacks.synthesis import ACCOUNT

moto = pytest.importorskip("moto", reason="a build installs no moto; the tests before a commit have it")
sagemaker_backends = pytest.importorskip("moto.sagemaker.models").sagemaker_backends

REGION = "us-east-1"
NAME = "digits"
BUCKET = "digits-data"
PROPERTIES = {
    "FactoryName": NAME,
    "RuleNames": ["push"],
    "ScheduleNames": ["factory-new-data"],
    "DeliveryPipelineNames": ["not-there-any-more"],
    "PackageGroups": NAME,
    "BuildProjectNames": [],
    "SageMakerPipelineNames": ["not-there-any-more"],
    "EndpointNames": ["digits-staging", "digits-production"],
    "BatchPrefixes": ["digits-batch-"],
    "BucketNames": [BUCKET, "gone-already"],
}


def answer_instead(operation: str, answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]) -> None:
    """For `service.Operation`, which moto has not: status and response to a request's body."""

    def respond(model: Any, params: dict[str, Any], **_: Any) -> Any:
        status, response = answer(json.loads(params["body"]))
        return AWSResponse("", status, HTTPHeaders(), None), response

    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register(f"before-call.{operation}", respond)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
        boto3.setup_default_session()
        missing = {"Error": {"Code": "PipelineNotFoundException", "Message": "There is no such pipeline"}}
        answer_instead("codepipeline.DisableStageTransition", lambda request: (400, missing))
        module = load_function("teardown")
        monkeypatch.setattr(deadline, "POLL_SECONDS", 0.0)
        yield module


@pytest.fixture
def answers() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Where CloudFormation would take the function's answer."""
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()


def event(request_type: str, url: str, **properties: Any) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "ResponseURL": url,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Teardown",
        "ResourceProperties": {**PROPERTIES, **properties},
    }


def make_endpoint(name: str, factory: str) -> None:
    sagemaker = boto3.client("sagemaker")
    tags: Any = [{"Key": "model-factory", "Value": factory}]
    sagemaker.create_model(
        ModelName=f"{name}-v1",
        ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/x",
        PrimaryContainer={"Image": "image"},
        Tags=tags,
    )
    variant: Any = {
        "VariantName": "AllTraffic",
        "ModelName": f"{name}-v1",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1.0,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-v1", ProductionVariants=[variant], Tags=tags)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-v1", Tags=tags)


def left() -> set[str]:
    sagemaker = boto3.client("sagemaker")
    return (
        {each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]}
        | {each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]}
        | {each["ModelName"] for each in sagemaker.list_models()["Models"]}
    )


def test_delete_removes_what_is_the_factorys_and_nothing_else(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]]
) -> None:
    make_endpoint("digits-staging", NAME)
    make_endpoint("digits-production", "someone-else")  # the name, but not the tag
    make_endpoint("letters-staging", NAME)  # the tag, but not the name
    boto3.client("events").put_rule(Name="push", EventPattern=json.dumps({"source": ["x"]}))
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=BUCKET, Key="raw/a.csv", Body=body)
    s3.delete_object(Bucket=BUCKET, Key="raw/a.csv")
    s3.create_multipart_upload(Bucket=BUCKET, Key="raw/b.csv")

    url, received = answers
    index.handler(event("Delete", url), None)

    assert received == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "model-factory-teardown",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Teardown",
        }
    ]
    assert left() == {"digits-production", "digits-production-v1", "letters-staging", "letters-staging-v1"}
    assert boto3.client("events").describe_rule(Name="push")["State"] == "DISABLED"
    s3.delete_bucket(Bucket=BUCKET)  # refused while anything is in it
    assert not s3.list_buckets()["Buckets"]


def test_what_a_lost_answer_had_deleted_is_gone(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]]
) -> None:
    """The second attempt is denied: with the model its tag is gone, by which the role may delete it."""
    make_endpoint("digits-production", NAME)
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
    lost: set[str] = set()

    def delete_and_lose_the_answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        lost.add(request["ModelName"])
        sagemaker_backends[ACCOUNT][REGION].delete_model(request["ModelName"])
        return 400, denied

    answer_instead("sagemaker.DeleteModel", delete_and_lose_the_answer)
    url, received = answers
    index.handler(event("Delete", url, BucketNames=[]), None)
    assert (received[0]["Status"], lost, left()) == ("SUCCESS", {"digits-production-v1"}, set())


def test_what_may_not_be_deleted_is_told(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]]
) -> None:
    make_endpoint("digits-production", NAME)
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
    answer_instead("sagemaker.DeleteModel", lambda request: (400, denied))
    url, received = answers
    index.handler(event("Delete", url, BucketNames=[]), None)
    assert received[0]["Status"] == "FAILED"
    assert "not authorized" in received[0]["Reason"]


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_create_and_update_touch_nothing(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]], request_type: str
) -> None:
    make_endpoint("digits-staging", NAME)
    url, received = answers
    index.handler(event(request_type, url), None)
    assert [answer["Status"] for answer in received] == ["SUCCESS"]
    assert "digits-staging" in left()


def test_a_failure_is_told_to_cloudformation(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BUDGET_SECONDS", -1.0)
    make_endpoint("digits-staging", NAME)
    url, received = answers
    index.handler(event("Delete", url), None)
    (answer,) = received
    assert answer["Status"] == "FAILED"
    assert "endpoint digits-staging to be deleted; run cdk destroy again" in answer["Reason"]


def test_log_streams_of_the_factorys_jobs_go_and_others_stay(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = boto3.client("logs")
    streams = {
        "/aws/sagemaker/ProcessingJobs": ["pipelines-x-Evaluate-1/algo-1", "pipelines-x-Evaluate-11/algo-1"],
        "/aws/sagemaker/TrainingJobs": [
            "x-Tune-1-001-abc/algo-1",
            "x-Tune-1-002-def/algo-1",
            "y-Tune-1-001/algo-1",
        ],
    }
    for group, names in streams.items():
        logs.create_log_group(logGroupName=group)
        for name in names:
            logs.create_log_stream(logGroupName=group, logStreamName=name)
    execution = {"PipelineExecutionArn": "x", "PipelineExecutionStatus": "Succeeded"}
    # As ARNs have the names, in lower case; streams are named after the jobs themselves.
    jobs = {"ProcessingJob": "pipelines-x-Evaluate-1", "HyperParameterTuningJob": "x-Tune-1"}
    monkeypatch.setattr(Jobs, "executions", lambda self: [execution])
    monkeypatch.setattr(Jobs, "jobs_of", lambda self, arn: [(kind, jobs[kind].lower()) for kind in jobs])

    def describe(kind: str) -> Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]:
        def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            assert request == {f"{kind}Name": jobs[kind].lower()}
            return 200, {f"{kind}Name": jobs[kind], f"{kind}Status": "Completed"}

        return answer

    for kind in jobs:
        answer_instead(f"sagemaker.Describe{kind}", describe(kind))
    url, received = answers
    index.handler(event("Delete", url), None)
    assert [answer["Status"] for answer in received] == ["SUCCESS"], received
    left = {
        stream["logStreamName"]
        for group in streams
        for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
    }
    assert left == {"pipelines-x-Evaluate-11/algo-1", "y-Tune-1-001/algo-1"}


def test_model_package_groups_go_by_name_and_tag(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]]
) -> None:
    sagemaker = boto3.client("sagemaker")
    owners = {NAME: NAME, "digits-eu": "digits-eu", "digits-batch": NAME, "digitsx": NAME}
    for name, owner in owners.items():
        tags: Any = [{"Key": "model-factory", "Value": owner}]
        sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=tags)
    package = sagemaker.create_model_package(ModelPackageGroupName="digits-batch")["ModelPackageArn"]
    deleted = []

    def delete(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        deleted.append(request)
        return 200, {}

    for operation in ("DeleteModelPackage", "DeleteModelPackageGroup"):
        answer_instead(f"sagemaker.{operation}", delete)
    url, received = answers
    index.handler(event("Delete", url), None)
    assert [answer["Status"] for answer in received] == ["SUCCESS"], received
    names = [str(item.get("ModelPackageGroupName", item.get("ModelPackageName"))) for item in deleted]
    assert sorted(names) == sorted([NAME, package, "digits-batch"])
    assert names.index(package) < names.index("digits-batch")


def make_transform_job(name: str, factory: str) -> None:
    source: Any = {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://digits-data/batch/"}}
    }
    boto3.client("sagemaker").create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput=source,
        TransformOutput={"S3OutputPath": "s3://digits-data/batch/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        Tags=[{"Key": "model-factory", "Value": factory}],
    )
    logs = boto3.client("logs")
    logs.create_log_stream(logGroupName="/aws/sagemaker/TransformJobs", logStreamName=f"{name}/i-0a1b")


def test_transform_jobs_of_a_neighbour_run_on_and_keep_their_logs(
    index: ModuleType, answers: tuple[str, list[dict[str, Any]]]
) -> None:
    """The factory digits-batch makes everything under names that begin as the transform jobs of digits do."""
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/aws/sagemaker/TransformJobs")
    owners = {"digits-batch-v1-0a1b": NAME, "digits-batch-batch-v1-2c3d": "digits-batch"}
    for name, owner in owners.items():
        make_transform_job(name, owner)
    make_endpoint("digits-batch-staging", "digits-batch")
    stopped: list[str] = []

    def describe(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = request["TransformJobName"]
        return 200, {"TransformJobStatus": "Stopped" if name in stopped else "InProgress"}

    def stop(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        stopped.append(request["TransformJobName"])
        return 200, {}

    def list_tags(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        listed.append(request["ResourceArn"].rpartition(":")[2])
        owner = NAME if listed[-1] == "transform-job/digits-batch-v1-0a1b" else "digits-batch"
        return 200, {"Tags": [{"Key": "model-factory", "Value": owner}]}

    listed: list[str] = []
    answer_instead("sagemaker.DescribeTransformJob", describe)
    answer_instead("sagemaker.StopTransformJob", stop)
    answer_instead("sagemaker.ListTags", list_tags)
    url, received = answers
    index.handler(event("Delete", url), None)
    assert [answer["Status"] for answer in received] == ["SUCCESS"], received
    assert stopped == ["digits-batch-v1-0a1b"]
    streams = logs.describe_log_streams(logGroupName="/aws/sagemaker/TransformJobs")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["digits-batch-batch-v1-2c3d/i-0a1b"]
    assert left() == {"digits-batch-staging", "digits-batch-staging-v1"}
    # Its role may ask for the tags of nothing else.
    assert {each.partition("/")[0] for each in listed} == {"model", "transform-job"}
