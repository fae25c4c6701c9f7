"""What a new account may run at once, and what AWS answers beyond it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.sagemaker.quotas import QUOTAS
from tests.services.sagemaker.conftest import BUCKET
from tests.services.sagemaker.jobs.test_tuning import RANGES, tune, tuning_request
from tests.services.sagemaker.pipelines.test_pipelines import create, document, execute, step

WORDS = (
    "The account-level service limit '{name}' is {limit} Instances, with current utilization of {used} Instances and a "
    "request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for this quota. If AWS "
    "Service Quotas is not available, contact AWS support to request an increase for this quota."
)


def refusal(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    assert error.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    return str(error.value.response["Error"]["Message"])


def processing(local: Any, instance_type: str, script: str = "") -> dict[str, Any]:
    cluster = {"InstanceCount": 1, "InstanceType": instance_type, "VolumeSizeInGB": 5}
    request: dict[str, Any] = local.processing_request(script, ProcessingResources={"ClusterConfig": cluster})
    return request


def test_a_processing_job_beyond_the_quota_is_refused_in_aws_s_words(new_account: Any) -> None:
    request = processing(new_account, "ml.m5.large")
    assert refusal(new_account.client().create_processing_job, **request) == WORDS.format(
        name="ml.m5.large for processing job usage", limit=0, used=0, delta=1
    )


def test_an_instance_type_without_a_row_has_none(new_account: Any) -> None:
    request = processing(new_account, "ml.c5.xlarge")
    assert "'ml.c5.xlarge for processing job usage' is 0" in refusal(
        new_account.client().create_processing_job, **request
    )


def test_jobs_count_while_they_run(new_account: Any) -> None:
    requests = [processing(new_account, "ml.t3.large", "import time; time.sleep(60)") for _ in range(5)]
    create_job = new_account.client().create_processing_job
    arns = [create_job(**request)["ProcessingJobArn"] for request in requests[:4]]
    assert refusal(create_job, **requests[4]) == WORDS.format(
        name="ml.t3.large for processing job usage", limit=4, used=4, delta=1
    )
    for request, arn in zip(requests, arns, strict=False):
        new_account.client().stop_processing_job(ProcessingJobName=request["ProcessingJobName"])
        new_account.sagemaker.wait_for_job(arn)
    assert new_account.process(processing(new_account, "ml.t3.large"))["ProcessingJobStatus"] == "Completed"


def test_a_step_beyond_the_quota_fails_with_aws_s_reason(new_account: Any) -> None:
    name = create(new_account, document([step("Preprocess", processing(new_account, "ml.m5.large"))]))
    described, steps = execute(new_account, name, {})
    assert described["PipelineExecutionStatus"] == "Failed"
    reason = WORDS.format(name="ml.m5.large for processing job usage", limit=0, used=0, delta=1)
    assert steps["Preprocess"]["FailureReason"] == (
        f"ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: {reason}\n"
        f"Retry not appropriate on execution of step with PipelineExecutionArn {described['PipelineExecutionArn']} and "
        "StepId Preprocess. No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT."
    )


def test_training_has_quotas_for_spot_and_for_the_rest(new_account: Any) -> None:
    request = new_account.training_request("print('trained')")
    assert "'ml.m5.large for training job usage' is 0" in refusal(
        new_account.client().create_training_job, **request
    )
    spot = new_account.training_request(
        "print('trained')",
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
    )
    assert new_account.train(spot)["TrainingJobStatus"] == "Completed"


def test_a_tuning_job_counts_as_many_jobs_as_it_may_run_at_once(new_account: Any) -> None:
    new_account.sagemaker.shared.quotas.set_applied("ml.m5.large for training job usage", 2)
    request = tuning_request(new_account, RANGES, jobs=4, parallel=3)
    assert refusal(new_account.client().create_hyper_parameter_tuning_job, **request) == WORDS.format(
        name="ml.m5.large for training job usage", limit=2, used=0, delta=3
    )
    request = tuning_request(new_account, RANGES, jobs=2, parallel=2)
    assert tune(new_account, request)["HyperParameterTuningJobStatus"] == "Completed"


def test_a_transform_job_beyond_the_quota_is_refused(new_account: Any) -> None:
    new_account.create_model("over-quota", f"s3://{BUCKET}/none.tar.gz")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/"}}
    assert "'ml.m5.large for transform job usage' is 0" in refusal(
        new_account.client().create_transform_job,
        TransformJobName="over-quota",
        ModelName="over-quota",
        TransformInput={"DataSource": source},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )


def test_service_quotas_tells_them_and_grants_increases(new_account: Any) -> None:
    quotas = new_account.client("service-quotas")
    key = {"ServiceCode": "sagemaker", "QuotaCode": "L-8541302D"}
    assert quotas.get_service_quota(**key)["Quota"]["QuotaName"] == "ml.m5.large for processing job usage"
    granted = quotas.request_service_quota_increase(**key, DesiredValue=2.0)["RequestedQuota"]
    assert granted["Status"] == "APPROVED"
    assert quotas.get_service_quota(**key)["Quota"]["Value"] == 2.0
    assert quotas.get_aws_default_service_quota(**key)["Quota"]["Value"] == 0.0
    with pytest.raises(ClientError, match="greater than the current quota value of 2"):
        quotas.request_service_quota_increase(**key, DesiredValue=2.0)
    with pytest.raises(ClientError, match=r"knows no quota 'L-0'.*L-8541302D \(ml.m5.large for processing"):
        quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode="L-0")
    listed = quotas.list_service_quotas(ServiceCode="sagemaker")["Quotas"]
    assert [item["QuotaCode"] for item in listed] == [quota.code for quota in QUOTAS]
    assert new_account.process(processing(new_account, "ml.m5.large"))["ProcessingJobStatus"] == "Completed"
