"""What an execution can be held to afterwards: who started it, with what, by which definition, and how it went."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.services.iam.authorization import assume_role
from tests.services.sagemaker.pipelines.test_pipelines import create, document

Json = dict[str, Any]
Make = Callable[[list[Json]], str]
RECORDS = (
    "describe_pipeline_execution",
    "describe_pipeline_definition_for_execution",
    "list_pipeline_parameters_for_execution",
    "list_pipeline_execution_steps",
)


def gate(threshold: float) -> Json:
    condition = {
        "Type": "GreaterThanOrEqualTo",
        "LeftValue": {"Get": "Parameters.Accuracy"},
        "RightValue": threshold,
    }
    fail = {"Name": "TooBad", "Type": "Fail", "Arguments": {"ErrorMessage": "too bad"}}
    arguments = {"Conditions": [condition], "IfSteps": [], "ElseSteps": [fail]}
    parameters = [
        {"Name": "Accuracy", "Type": "Float"},
        {"Name": "Reason", "Type": "String", "DefaultValue": "push"},
    ]
    return document([{"Name": "Gate", "Type": "Condition", "Arguments": arguments}], parameters)


def starter(local: Any, make_role: Make, *actions: str, resource: str = "*") -> Any:
    role = make_role([{"Effect": "Allow", "Action": list(actions), "Resource": resource}])
    credentials = assume_role(
        local.account, role, principal="sagemaker.amazonaws.com", session_name="build-7"
    )
    return local.client("sagemaker", credentials), role.rpartition("/")[2]


def run(local: Any, client: Any, name: str, accuracy: str) -> str:
    given = [{"Name": "Accuracy", "Value": accuracy}]
    arn = client.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]
    assert local.sagemaker.pipelines.execution({"PipelineExecutionArn": arn}).finished.wait(30)
    return str(arn)


def test_an_execution_says_who_started_it(local: Any, make_role: Make) -> None:
    name = create(local, gate(0.9))
    client, role = starter(local, make_role, "sagemaker:StartPipelineExecution")
    described = local.client().describe_pipeline_execution(
        PipelineExecutionArn=run(local, client, name, "0.95")
    )
    identity = described["CreatedBy"]["IamIdentity"]
    assert identity["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{role}/build-7"
    role_id = local.client("iam").get_role(RoleName=role)["Role"]["RoleId"]
    assert identity["PrincipalId"] == f"{role_id}:build-7"
    assert described["LastModifiedBy"] == described["CreatedBy"]
    assert described["CreationTime"] <= described["LastModifiedTime"]
    administrator = local.client().describe_pipeline(PipelineName=name)["CreatedBy"]["IamIdentity"]
    caller = local.client("sts").get_caller_identity()
    assert administrator == {"Arn": caller["Arn"], "PrincipalId": caller["UserId"]}


@pytest.mark.parametrize(("accuracy", "outcome"), [("0.95", "True"), ("0.5", "False")])
def test_an_execution_keeps_its_definition_parameters_and_outcome(
    local: Any, accuracy: str, outcome: str
) -> None:
    before, after = gate(0.9), gate(0.1)
    name = create(local, before)
    client = local.client()
    arn = run(local, client, name, accuracy)
    client.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(after))
    kept = client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert json.loads(kept["PipelineDefinition"]) == before
    newer = client.describe_pipeline_definition_for_execution(
        PipelineExecutionArn=run(local, client, name, accuracy)
    )
    assert json.loads(newer["PipelineDefinition"]) == after
    parameters = client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert parameters["PipelineParameters"] == [{"Name": "Accuracy", "Value": accuracy}]
    steps = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    (condition,) = (each for each in steps if each["StepName"] == "Gate")
    assert condition["Metadata"] == {"Condition": {"Outcome": outcome}}


@pytest.mark.parametrize("operation", RECORDS)
def test_each_record_asks_for_its_action_on_the_execution(
    local: Any, make_role: Make, operation: str
) -> None:
    name = create(local, gate(0.9))
    arn = run(local, local.client(), name, "0.95")
    action = "sagemaker:" + "".join(word.capitalize() for word in operation.split("_"))
    allowed, _ = starter(local, make_role, action, resource=arn)
    getattr(allowed, operation)(PipelineExecutionArn=arn)
    elsewhere, _ = starter(local, make_role, action, resource=arn.rpartition("/execution/")[0])
    with pytest.raises(ClientError, match=f"not authorized to perform: {action} on resource: {arn}"):
        getattr(elsewhere, operation)(PipelineExecutionArn=arn)
