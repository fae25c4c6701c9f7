from aws_cdk import RemovalPolicies
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import Prefix
from stacks.context import FactoryContext
from stacks.fargate_mlflow.construct import FargateMlflow
from stacks.managed_mlflow import MlflowServer, mlflow_app, mlflow_tracking_server
from stacks.permissions import allow, grant_delete, grant_list, grant_read, grant_write, service_role
from stacks.settings.infrastructure import MlflowApp, MlflowOnFargate, MlflowTrackingServer


class Tracking(Construct):
    """MLflow: experiments, runs and the model registry. What serves it is known in here only."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        artifact_bucket: s3.IBucket,
    ) -> None:
        super().__init__(scope, id)
        mlflow, names = context.config.mlflow, context.names
        self._artifact_bucket = artifact_bucket
        service = "ecs-tasks" if isinstance(mlflow, MlflowOnFargate) else "sagemaker"
        role = service_role(
            self,
            "Role",
            f"{service}.amazonaws.com",
            "MLflow's access to its artifacts",
            # SageMaker's documentation names the features that do, and not MLflow.
            says_account=isinstance(mlflow, MlflowOnFargate),
        )
        self._grant_artifacts(role)
        artifact_store_uri = artifact_bucket.s3_url_for_object(Prefix.MLFLOW.rstrip("/"))
        if isinstance(mlflow, MlflowApp):
            self._server = mlflow_app(self, names=names, artifact_store_uri=artifact_store_uri, role=role)
        elif isinstance(mlflow, MlflowTrackingServer):
            self._server = mlflow_tracking_server(
                self,
                names=names,
                size=mlflow.size,
                artifact_store_uri=artifact_store_uri,
                role=role,
            )
        else:
            fargate = FargateMlflow(
                self,
                "Fargate",
                context=context,
                image=mlflow.image,
                artifact_store_uri=artifact_store_uri,
                role=role,
            )
            # Security groups let builds and jobs in: there is nothing for IAM to grant.
            self._server = MlflowServer(
                tracking_uri=fargate.tracking_uri, grant_call=lambda _: None, grant_delete=lambda _: None
            )
        if not isinstance(mlflow, MlflowOnFargate):
            # A kept server is of no use without its role. What Fargate keeps is a snapshot.
            RemovalPolicies.of(self).apply(context.removal_policy)

    @property
    def tracking_uri(self) -> str:
        return self._server.tracking_uri

    def grant_read_write(self, grantee: iam.IGrantable) -> None:
        """Call MLflow's API, and read and write artifacts, which clients take from S3 themselves."""
        self._server.grant_call(grantee)
        grant_list(grantee, "ListMlflowArtifacts", self._artifact_bucket)
        grant_read(grantee, "ReadMlflowArtifacts", self._artifact_bucket, Prefix.MLFLOW)
        grant_write(grantee, "WriteMlflowArtifacts", self._artifact_bucket, Prefix.MLFLOW)

    def grant_delete(self, grantee: iam.IGrantable) -> None:
        """Delete experiments, registered models and artifacts: MLflow knows no permissions by model."""
        self._server.grant_delete(grantee)
        grant_delete(grantee, "DeleteArtifacts", self._artifact_bucket, Prefix.MLFLOW)

    def _grant_artifacts(self, role: iam.IRole) -> None:
        grant_list(role, "ListMlflowArtifacts", self._artifact_bucket)
        grant_read(role, "ReadMlflowArtifacts", self._artifact_bucket, Prefix.MLFLOW)
        grant_write(role, "WriteMlflowArtifacts", self._artifact_bucket, Prefix.MLFLOW)
        objects = self._artifact_bucket.arn_for_objects(f"{Prefix.MLFLOW}*")
        reason = "MLflow names its artifacts"
        allow(role, "DeleteMlflowArtifacts", ["s3:DeleteObject"], [objects], reason=reason)
