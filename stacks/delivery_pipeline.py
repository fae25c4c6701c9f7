from collections.abc import Mapping

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import PRODUCTION, STAGING, DeliveryVariable, Prefix, Stage, Variable, of_model
from stacks.build import Build
from stacks.code_pipeline import (
    Action,
    Trigger,
    action_type,
    build_action,
    code_pipeline,
    pipeline_role,
    source_action,
)
from stacks.names import ModelNames
from stacks.permissions import arn
from stacks.release_code import ReleaseCode
from stacks.source import SeededRepository, Source

# What the buildspec of the staging deployment exports, as an action of CodePipeline's reads it.
_APPROVAL_SUMMARY = f"#{{{Stage.STAGING}.{Variable.APPROVAL_SUMMARY}}}"


class DeliveryPipeline(Construct):
    """The pipeline of one model: Source, Build, Staging, Approval (unless it is automatic), Production."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        names: ModelNames,
        source: Source,
        triggers: list[Trigger],
        release_code: ReleaseCode,
        artifact_bucket: s3.IBucket,
        build: Build,
        deployments: Mapping[str, Build],
        has_approval: bool,
    ) -> None:
        super().__init__(scope, id)
        builds = [build, *deployments.values()]
        role = pipeline_role(self, source=source, artifact_bucket=artifact_bucket, builds=builds)
        release_code.grant_fetch(role)
        staging, production = (
            build_action(
                Stage.DEPLOY_ACTION, deployments[stage], artifact=Stage.RELEASE_CODE, namespace=namespace
            )
            for stage, namespace in ((STAGING, Stage.STAGING), (PRODUCTION, None))
        )
        pipeline = code_pipeline(
            self,
            name=names.pipeline,
            role=role,
            artifact_bucket=artifact_bucket,
            stages={
                Stage.SOURCE: [source_action(source), _release_code_action(release_code)],
                Stage.BUILD: [build_action(Stage.BUILD, build, artifact=Stage.SOURCE, namespace=Stage.BUILD)],
                Stage.STAGING: [staging],
                **({Stage.APPROVAL: [_approval_action()]} if has_approval else {}),
                Stage.PRODUCTION: [production],
            },
            variables={
                # A trigger of a connection cannot set variables, so there the default is its reason.
                DeliveryVariable.TRIGGER_REASON: "manual" if isinstance(source, SeededRepository) else "push",
                DeliveryVariable.DATA_PREFIX: of_model(Prefix.RAW_DATA, names.model),
            },
            triggers=triggers,
        )
        self.name = pipeline.ref
        self.arn = arn(self, "codepipeline", self.name)


def _release_code_action(code: ReleaseCode) -> Action:
    return Action(
        name=Stage.RELEASE_CODE,
        action_type_id=action_type("Source", "S3"),
        configuration=code.configuration,
        output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name=Stage.RELEASE_CODE)],
    )


def _approval_action() -> Action:
    return Action(
        name=Stage.APPROVE_ACTION,
        action_type_id=action_type("Approval", "Manual"),
        configuration={
            "CustomData": f"Put this into production? {_APPROVAL_SUMMARY}",
            "ExternalEntityLink": f"#{{{Stage.STAGING}.{Variable.VERIFICATION_URL}}}",
        },
    )
