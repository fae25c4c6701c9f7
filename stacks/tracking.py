from aws_cdk import RemovalPolicies, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.config import FactoryNames
from stacks.permissions import allow, grant_list, grant_read, grant_write, service_role
from stacks.storage import MLFLOW


class Tracking(Construct):
    """MLflow: experiments, runs and the model registry, as SageMaker's serverless MLflow App."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        names: FactoryNames,
        artifact_bucket: s3.IBucket,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        self._artifact_bucket = artifact_bucket
        role = service_role(self, "Role", "sagemaker.amazonaws.com", "MLflow's access to its artifacts")
        objects = artifact_bucket.arn_for_objects(f"{MLFLOW}*")
        grant_list(role, "ListMlflowArtifacts", artifact_bucket)
        grant_read(role, "ReadMlflowArtifacts", artifact_bucket, MLFLOW)
        grant_write(role, "WriteMlflowArtifacts", artifact_bucket, MLFLOW)
        allow(role, "DeleteMlflowArtifacts", ["s3:DeleteObject"], [objects])
        self._app = sagemaker.CfnMlflowApp(
            self,
            "App",
            name=names.factory,
            artifact_store_uri=artifact_bucket.s3_url_for_object(MLFLOW.rstrip("/")),
            role_arn=role.role_arn,
            # MLflow's registry is the one source of truth: no second one to clean up.
            model_registration_mode="AutoModelRegistrationDisabled",
        )
        # The service tries the role when the App is made.
        self._app.node.add_dependency(role)
        # A kept App is of no use without its role.
        RemovalPolicies.of(self).apply(removal_policy)

    @property
    def tracking_uri(self) -> str:
        return self._app.attr_arn

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Call MLflow's API, whose calls IAM cannot tell apart, and read artifacts, which lie in S3."""
        allow(grantee, "CallMlflow", ["sagemaker:CallMlflowAppApi"], [self._app.attr_arn])
        grant_list(grantee, "ListMlflowArtifacts", self._artifact_bucket)
        grant_read(grantee, "ReadMlflowArtifacts", self._artifact_bucket, MLFLOW)

    def grant_read_write(self, grantee: iam.IGrantable) -> None:
        self.grant_read(grantee)
        grant_write(grantee, "WriteMlflowArtifacts", self._artifact_bucket, MLFLOW)
