"""aws:ResourceTag: a role that may delete only what has a tag."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.iam.authorization import assume_role

OWN = {"StringEquals": {"aws:ResourceTag/owner": "digits"}}


@pytest.fixture
def remover(local: Any, make_role: Callable[[list[dict[str, Any]]], str]) -> Any:
    actions = ["sagemaker:Delete*", "sagemaker:Stop*"]
    role = make_role([{"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": OWN}])
    credentials = assume_role(local.account, role, principal="sagemaker.amazonaws.com", session_name="test")
    return local.client("sagemaker", credentials)


def test_only_a_model_with_the_tag_is_deleted(local: Any, remover: Any) -> None:
    name = f"model-{uuid.uuid4().hex[:8]}"
    local.create_model(name, local.archive(f"{name}/model.tar.gz", {"inference.py": ""}))
    arn = local.client().describe_model(ModelName=name)["ModelArn"]
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:DeleteModel"):
        remover.delete_model(ModelName=name)
    local.client().add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "digits"}])
    remover.delete_model(ModelName=name)


def test_a_job_has_its_tags_under_an_arn_in_lower_case(local: Any, remover: Any) -> None:
    request = local.processing_request("", Tags=[{"Key": "owner", "Value": "digits"}])
    request["ProcessingJobName"] = f"Job-{uuid.uuid4().hex[:8]}"
    local.process(request)
    remover.stop_processing_job(ProcessingJobName=request["ProcessingJobName"])
