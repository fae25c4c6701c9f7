"""Pipelines of CodePipeline, with the L1 construct.

The L2 grants the pipeline and each of its projects access to the whole artifact bucket, more than they need.
"""

import json
from collections.abc import Mapping, Sequence

from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import Stage, Variable
from stacks.build import Build
from stacks.permissions import allow, grant_list, grant_read, grant_write, service_role
from stacks.source import Source

Action = codepipeline.CfnPipeline.ActionDeclarationProperty
Trigger = codepipeline.CfnPipeline.PipelineTriggerDeclarationProperty
_EXECUTION_ID = "#{codepipeline.PipelineExecutionId}"


def pipeline_role(
    scope: Construct, *, source: Source, artifact_bucket: s3.IBucket, builds: Sequence[Build]
) -> iam.Role:
    role = service_role(scope, "Role", "codepipeline.amazonaws.com", "Fetches the source, starts builds")
    source.grant_fetch(role, artifact_bucket)
    actions = ["codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"]
    allow(role, "RunBuilds", actions, [build.project.project_arn for build in builds])
    grant_list(role, "ListArtifacts", artifact_bucket)
    grant_read(role, "ReadSource", artifact_bucket)
    grant_write(role, "WriteSource", artifact_bucket)
    return role


def code_pipeline(
    scope: Construct,
    *,
    name: str,
    role: iam.Role,
    artifact_bucket: s3.IBucket,
    stages: Mapping[str, Sequence[Action]],
    variables: Mapping[str, str],
    triggers: Sequence[Trigger],
) -> codepipeline.CfnPipeline:
    """`variables` are names with their defaults."""
    pipeline = codepipeline.CfnPipeline(
        scope,
        "Pipeline",
        name=name,
        pipeline_type="V2",
        # The newest commit wins: an older one that waits for approval is overtaken.
        execution_mode="SUPERSEDED",
        role_arn=role.role_arn,
        artifact_store=codepipeline.CfnPipeline.ArtifactStoreProperty(
            type="S3", location=artifact_bucket.bucket_name, encryption_key=_key_of(artifact_bucket)
        ),
        variables=[
            codepipeline.CfnPipeline.VariableDeclarationProperty(name=variable, default_value=default)
            for variable, default in variables.items()
        ]
        or None,
        triggers=list(triggers) or None,
        stages=[
            codepipeline.CfnPipeline.StageDeclarationProperty(name=stage, actions=list(actions))
            for stage, actions in stages.items()
        ],
    )
    pipeline.node.add_dependency(role)
    return pipeline


def source_action(source: Source) -> Action:
    return Action(
        name=Stage.SOURCE,
        action_type_id=action_type("Source", source.provider),
        configuration=source.configuration,
        output_artifacts=[codepipeline.CfnPipeline.OutputArtifactProperty(name=Stage.SOURCE)],
    )


def build_action(name: str, build: Build, *, artifact: str, namespace: str | None) -> Action:
    # The id only: CodePipeline would paste what people or a push wrote into this JSON, quotes and all.
    execution = {"name": Variable.DELIVERY_EXECUTION, "value": _EXECUTION_ID, "type": "PLAINTEXT"}
    configuration = {
        "ProjectName": build.project.project_name,
        "EnvironmentVariables": json.dumps([execution]),
    }
    return Action(
        name=name,
        action_type_id=action_type("Build", "CodeBuild"),
        configuration=configuration,
        input_artifacts=[codepipeline.CfnPipeline.InputArtifactProperty(name=artifact)],
        namespace=namespace,
    )


def action_type(category: str, provider: str) -> codepipeline.CfnPipeline.ActionTypeIdProperty:
    return codepipeline.CfnPipeline.ActionTypeIdProperty(
        category=category, owner="AWS", provider=provider, version="1"
    )


def _key_of(bucket: s3.IBucket) -> codepipeline.CfnPipeline.EncryptionKeyProperty | None:
    """The key must be named here: by default CodePipeline takes AWS's key for S3 instead of the bucket's."""
    if bucket.encryption_key is None:
        return None
    return codepipeline.CfnPipeline.EncryptionKeyProperty(type="KMS", id=bucket.encryption_key.key_arn)
