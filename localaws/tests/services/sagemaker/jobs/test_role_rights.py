"""What SageMaker does with a job's or model's role besides the data: pull the image, write the log."""

from collections.abc import Callable
from typing import Any

import pytest

GROUP = "/aws/sagemaker/ProcessingJobs"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
MakeRole = Callable[[list[dict[str, Any]]], str]


@pytest.mark.parametrize(
    "missing",
    [
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
    ],
)
def test_a_job_that_may_not_pull_its_image_fails(local: Any, make_role: MakeRole, missing: str) -> None:
    role = make_role([ALLOW_ALL, {"Effect": "Deny", "Action": missing, "Resource": "*"}])
    job = local.process(local.processing_request("print('never')", RoleArn=role))
    assert job["ProcessingJobStatus"] == "Failed"
    action = missing.partition(":")[2]
    assert f"'{role}' does not have {action} permission for the image: '" in job["FailureReason"]


@pytest.mark.parametrize("missing", ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"])
def test_a_job_that_may_not_log_runs_without_a_log(local: Any, make_role: MakeRole, missing: str) -> None:
    role = make_role([ALLOW_ALL, {"Effect": "Deny", "Action": missing, "Resource": "*"}])
    job = local.process(local.processing_request("print('seen by nobody')", RoleArn=role))
    assert job["ProcessingJobStatus"] == "Completed"
    local.process(local.processing_request("print('the group exists')"))
    assert local.log_lines(GROUP, job["ProcessingJobName"]) == []
