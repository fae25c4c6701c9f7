import json
from collections.abc import Mapping

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import PRODUCTION, STAGING, DeliveryVariable, Prefix, Stage, Variable
from stacks.build import Build
from stacks.names import FactoryNames
from stacks.permissions import allow, arn, grant_list, grant_read, grant_write, service_role
from stacks.release_code import ReleaseCode
from stacks.source import SeededRepository, Source

_Action = codepipeline.CfnPipeline.ActionDeclarationProperty
# What the buildspec of the staging deployment exports, as an action of CodePipeline's reads it.
_APPROVAL_SUMMARY = f"#{{{Stage.STAGING}.{Variable.APPROVAL_SUMMARY}}}"
_EXECUTION_ID = "#{codepipeline.PipelineExecutionId}"


class DeliveryPipeline(Construct):
    """CodePipeline: Source, Build, Staging, Approval, Production.

    It is written with the L1 construct: the L2 lets the pipeline and every project of it read, and the
    pipeline write, the whole artifact bucket.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        names: FactoryNames,
        source: Source,
        release_code: ReleaseCode,
        artifact_bucket: s3.IBucket,
        build: Build,
        deployments: Mapping[str, Build],
    ) -> None:
        super().__init__(scope, id)
        self._names = names
        role = service_role(self, "Role", "codepipeline.amazonaws.com", "Fetches the source, starts builds")
        source.grant_fetch(role, artifact_bucket)
        release_code.grant_fetch(role)
        self._allow(role, artifact_bucket, [build, *deployments.values()])
        staging, production = (
            _build_action(
                Stage.DEPLOY_ACTION, deployments[stage], artifact=Stage.RELEASE_CODE, namespace=namespace
            )
            for stage, namespace in ((STAGING, Stage.STAGING), (PRODUCTION, None))
        )
        stages = {
            Stage.SOURCE: [_source_action(source), _release_code_action(release_code)],
            Stage.BUILD: [_build_action(Stage.BUILD, build, artifact=Stage.SOURCE, namespace=Stage.BUILD)],
            Stage.STAGING: [staging],
            Stage.APPROVAL: [_approval_action()],
            Stage.PRODUCTION: [production],
        }
        pipeline = codepipeline.CfnPipeline(
            self,
            "Pipeline",
            name=names.factory,
            pipeline_type="V2",
            # The newest commit wins: an older one that waits for approval is overtaken.
            execution_mode="SUPERSEDED",
            role_arn=role.role_arn,
            artifact_store=codepipeline.CfnPipeline.ArtifactStoreProperty(
                type="S3", location=artifact_bucket.bucket_name, encryption_key=_key_of(artifact_bucket)
            ),
            variables=[
                # A trigger of a connection cannot set variables, so there the default is its reason.
                _variable(
                    DeliveryVariable.TRIGGER_REASON,
                    "manual" if isinstance(source, SeededRepository) else "push",
                ),
                _variable(DeliveryVariable.DATA_PREFIX, Prefix.RAW_DATA),
            ],
            triggers=source.triggers or None,
            stages=[
                codepipeline.CfnPipeline.StageDeclarationProperty(name=name, actions=actions)
                for name, actions in stages.items()
            ],
        )
        pipeline.node.add_dependency(role)
        self.name = pipeline.ref
        self.arn = arn(self, "codepipeline", self.name)

    def _allow(self, role: iam.Role, artifacts: s3.IBucket, builds: list[Build]) -> None:
        actions = ["codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"]
        allow(role, "RunBuilds", actions, [build.project.project_arn for build in builds])
        grant_list(role, "ListArtifacts", artifacts)
        grant_read(role, "ReadSource", artifacts)
        grant_write(role, "WriteSource", artifacts)


def _key_of(bucket: s3.IBucket) -> codepipeline.CfnPipeline.EncryptionKeyProperty | None:
    """The key must be named here: by default CodePipeline takes AWS's key for S3 instead of the bucket's."""
    if bucket.encryption_key is None:
        return None
    return codepipeline.CfnPipeline.EncryptionKeyProperty(type="KMS", id=bucket.encryption_key.key_arn)


def _type(category: str, provider: str) -> codepipeline.CfnPipeline.ActionTypeIdProperty:
    return codepipeline.CfnPipeline.ActionTypeIdProperty(
        category=category, owner="AWS", provider=provider, version="1"
    )


def _variable(name: str, default: str) -> codepipeline.CfnPipeline.VariableDeclarationProperty:
    return codepipeline.CfnPipeline.VariableDeclarationProperty(name=name, default_value=default)


def _source_action(source: Source) -> _Action:
    return _Action(
        name=Stage.SOURCE,
        action_type_id=_type("Source", source.provider),
        configuration=source.configuration,
        output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name=Stage.SOURCE)],
    )


def _release_code_action(code: ReleaseCode) -> _Action:
    return _Action(
        name=Stage.RELEASE_CODE,
        action_type_id=_type("Source", "S3"),
        configuration=code.configuration,
        output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name=Stage.RELEASE_CODE)],
    )


def _build_action(name: str, build: Build, *, artifact: str, namespace: str | None) -> _Action:
    # The id only: CodePipeline would paste what people or a push wrote into this JSON, quotes and all.
    execution = {"name": Variable.DELIVERY_EXECUTION, "value": _EXECUTION_ID, "type": "PLAINTEXT"}
    configuration = {
        "ProjectName": build.project.project_name,
        "EnvironmentVariables": json.dumps([execution]),
    }
    return _Action(
        name=name,
        action_type_id=_type("Build", "CodeBuild"),
        configuration=configuration,
        input_artifacts=[codepipeline.CfnPipeline.InputArtifactProperty(name=artifact)],
        namespace=namespace,
    )


def _approval_action() -> _Action:
    return _Action(
        name=Stage.APPROVE_ACTION,
        action_type_id=_type("Approval", "Manual"),
        configuration={
            "CustomData": f"Put this into production? {_APPROVAL_SUMMARY}",
            "ExternalEntityLink": f"#{{{Stage.STAGING}.{Variable.VERIFICATION_URL}}}",
        },
    )
