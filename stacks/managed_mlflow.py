"""MLflow as SageMaker runs it: the tracking URI is an ARN, for which the client signs by a plugin."""

from collections.abc import Callable
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.names import FactoryNames
from stacks.permissions import allow

# What runs and the registry need, without what deletes experiments, models and versions.
_CALLS = [
    f"sagemaker-mlflow:{verb}*"
    for verb in ("Create", "Finalize", "Get", "List", "Log", "Search", "Set", "Update")
]
_CALLS += [
    "sagemaker-mlflow:DeleteModelVersionTag",  # of a promotion that is taken back
    "sagemaker-mlflow:DeleteRun",  # of the job that made a run which another had made already
    # Of what somebody deleted that the registry refers to
    "sagemaker-mlflow:RestoreExperiment",
    "sagemaker-mlflow:RestoreRun",
]
_DELETING_CALLS = [
    f"sagemaker-mlflow:{action}"
    for action in ("DeleteExperiment", "DeleteRegisteredModel", "GetExperimentByName")
]


@dataclass(frozen=True, kw_only=True)
class MlflowServer:
    """Address of the server, and the permission to call it."""

    tracking_uri: str
    grant_call: Callable[[iam.IGrantable], None]
    grant_delete: Callable[[iam.IGrantable], None]


def mlflow_app(
    scope: Construct, *, names: FactoryNames, artifact_store_uri: str, role: iam.IRole
) -> MlflowServer:
    app = sagemaker.CfnMlflowApp(
        scope,
        "App",
        name=names.factory,
        artifact_store_uri=artifact_store_uri,
        role_arn=role.role_arn,
        # MLflow's registry is the one source of truth: no second one to clean up.
        model_registration_mode="AutoModelRegistrationDisabled",
    )
    # The service tries the role when the App is made.
    app.node.add_dependency(role)
    return MlflowServer(
        tracking_uri=app.attr_arn,
        # IAM cannot tell the calls of an App's API apart.
        grant_call=lambda grantee: allow(
            grantee, "CallMlflow", ["sagemaker:CallMlflowAppApi"], [app.attr_arn]
        ),
        grant_delete=lambda grantee: allow(
            grantee, "DeleteModel", ["sagemaker:CallMlflowAppApi"], [app.attr_arn]
        ),
    )


def mlflow_tracking_server(
    scope: Construct, *, names: FactoryNames, size: str, artifact_store_uri: str, role: iam.IRole
) -> MlflowServer:
    server = sagemaker.CfnMlflowTrackingServer(
        scope,
        "TrackingServer",
        tracking_server_name=names.factory,
        tracking_server_size=size,
        artifact_store_uri=artifact_store_uri,
        role_arn=role.role_arn,
        automatic_model_registration=False,
    )
    server.node.add_dependency(role)
    arn = server.attr_tracking_server_arn
    reason = "The actions are those of MLflow's API, which grow with its versions, of one server"
    return MlflowServer(
        tracking_uri=arn,
        grant_call=lambda grantee: allow(grantee, "CallMlflow", _CALLS, [arn], reason=reason),
        grant_delete=lambda grantee: allow(grantee, "DeleteModel", _DELETING_CALLS, [arn]),
    )
