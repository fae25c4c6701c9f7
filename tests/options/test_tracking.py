"""Who serves MLflow is a setting; everybody else sees a tracking URI and a grant."""

import json
from typing import Any

import pytest

from stacks.settings.errors import SettingError
from tests.stacks.synthesis import Synthesise, Synthesised, configured

MLFLOW_CLIENTS = {"DeliveryDeployproduction", "DeliveryDeploystaging", "TrainingJob"}


@pytest.fixture(scope="session")
def served(synthesise: Synthesise) -> Synthesised:
    return synthesise({"mlflow.type": "tracking-server", "mlflow.size": "Medium"})


def calls(factory: Synthesised) -> dict[str, Any]:
    """Who may call MLflow's API, and the statement."""
    return {
        policy.split("RoleDefaultPolicy")[0]: statement
        for policy, statement in factory.statements()
        if statement.get("Sid") == "CallMlflow"
    }


def test_the_tracking_server_takes_the_place_of_the_app(served: Synthesised) -> None:
    assert not served.of_type("AWS::SageMaker::MlflowApp")
    server = served.only("AWS::SageMaker::MlflowTrackingServer")["Properties"]
    assert server["TrackingServerName"] == "model-factory"
    assert server["TrackingServerSize"] == "Medium"
    assert server["AutomaticModelRegistration"] is False
    assert server["ArtifactStoreUri"].endswith("/mlflow")


@pytest.mark.parametrize("settings", [{}, {"mlflow.type": "tracking-server", "mlflow.size": "Medium"}])
def test_its_address_reaches_jobs_builds_and_people(synthesise: Synthesise, settings: dict[str, str]) -> None:
    factory = synthesise(settings)
    uri = factory.outputs["MlflowTrackingUri"]["Value"]
    body = factory.only("AWS::SageMaker::Pipeline")["Properties"]["PipelineDefinition"][
        "PipelineDefinitionBody"
    ]
    for step in json.loads(body)["Steps"][:1]:
        assert step["Arguments"]["Environment"]["MLFLOW_TRACKING_URI"] == uri
    for project in factory.every("AWS::CodeBuild::Project").values():
        variables = project["Properties"]["Environment"]["EnvironmentVariables"]
        assert {"Name": "MLFLOW_TRACKING_URI", "Type": "PLAINTEXT", "Value": uri} in variables
    assert calls(factory)
    for statement in calls(factory).values():
        assert statement["Resource"] == uri


@pytest.mark.parametrize("settings", [{}, {"mlflow.type": "tracking-server", "mlflow.size": "Medium"}])
def test_only_those_who_need_mlflow_may_call_it(synthesise: Synthesise, settings: dict[str, str]) -> None:
    assert calls(synthesise(settings)).keys() == MLFLOW_CLIENTS


def test_nobody_may_delete_experiments_models_or_versions(served: Synthesised) -> None:
    assert calls(served)
    for statement in calls(served).values():
        deleting = [action for action in statement["Action"] if "Delete" in action or action.endswith(":*")]
        assert deleting == ["sagemaker-mlflow:DeleteModelVersionTag", "sagemaker-mlflow:DeleteRun"]


def test_a_size_without_a_server_is_refused() -> None:
    with pytest.raises(
        SettingError, match=r"mlflow\.size is 'Large', allowed is one of the settings of mlflow: type"
    ):
        configured({"mlflow.size": "Large"})
