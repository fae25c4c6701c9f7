"""MLflow apps are real MLflow servers; pipelines and apps are CloudFormation resources."""

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.sagemaker.resources import RESOURCES

TYPES = {resource.type: resource for resource in RESOURCES}


def test_an_app_serves_mlflow(local: Any) -> None:
    resource = TYPES["AWS::SageMaker::MlflowApp"]
    properties = {"Name": "tracking", "ArtifactStoreUri": "s3://data-for-jobs/mlflow", "RoleArn": local.role}
    arn = resource.create(local.account, "Stack-App", properties)
    assert arn.startswith("arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-")
    url = local.sagemaker.mlflow_url(arn)
    attributes = resource.attributes(local.account, arn)
    assert attributes["Status"] == "Created"
    assert attributes["MlflowVersion"].count(".") == 2
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/2.0/mlflow/experiments/create",
        data=json.dumps({"name": "digits"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        identifier = json.load(answer)["experiment_id"]
    with urllib.request.urlopen(  # noqa: S310
        f"{url}/api/2.0/mlflow/experiments/get?experiment_id={identifier}"
    ) as answer:
        experiment = json.load(answer)["experiment"]
    assert experiment["artifact_location"].startswith("s3://data-for-jobs/mlflow/")
    resource.delete(local.account, arn, properties)
    with pytest.raises(ClientError, match=f"MLflow app {arn} does not exist"):
        local.client().describe_mlflow_app(Arn=arn)
    resource.delete(local.account, arn, properties)  # gone already: no error


def test_a_pipeline_is_a_resource(local: Any) -> None:
    resource = TYPES["AWS::SageMaker::Pipeline"]
    definition = {
        "Version": "2020-12-01",
        "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "end"}}],
    }
    properties: dict[str, Any] = {
        "PipelineName": "from-a-stack",
        "PipelineDefinition": {"PipelineDefinitionBody": json.dumps(definition)},
        "RoleArn": local.role,
        "Tags": [{"Key": "model-factory", "Value": "x"}],
    }
    name = resource.create(local.account, "Stack-Pipeline", properties)
    assert name == "from-a-stack"
    arn = local.client().describe_pipeline(PipelineName=name)["PipelineArn"]
    assert local.client().list_tags(ResourceArn=arn)["Tags"] == properties["Tags"]
    changed = properties | {"PipelineDescription": "changed"}
    assert resource.update(local.account, name, changed, properties) == name
    assert local.client().describe_pipeline(PipelineName=name)["PipelineDescription"] == "changed"
    resource.delete(local.account, name, changed)
    resource.delete(local.account, name, changed)
