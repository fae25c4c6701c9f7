import json
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from constructs import Construct, IDependable

from ml_code.contracts import DeliveryVariable, Prefix, Stage, Variable
from stacks.build import Build
from stacks.code_pipeline import build_action, code_pipeline, pipeline_role, source_action
from stacks.context import FactoryContext
from stacks.names import ModelNames
from stacks.permissions import allow, arn, grant_list, grant_read, grant_write
from stacks.source import Source
from stacks.storage import Storage
from stacks.triggers import Triggers


class PushPipeline(Construct):
    """The pipeline that a push starts where there are several models.

    It runs the models' tests once, and starts the delivery of each model whose inputs have changed.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        models: Mapping[str, ModelNames],
        source: Source,
        storage: Storage,
        made_before: list[IDependable],
    ) -> None:
        super().__init__(scope, id)
        names = context.names
        pipelines = {model: own.pipeline for model, own in models.items()}
        self.build = Build(
            self,
            "Build",
            name=names.push,
            buildspec=codebuild.BuildSpec.from_source_filename("push-buildspec.yml"),
            timeout=Duration.hours(1),
            environment={
                Variable.DATA_BUCKET: storage.data_bucket.bucket_name,
                Variable.ARTIFACT_BUCKET: storage.artifact_bucket.bucket_name,
                Variable.PIPELINES: json.dumps(pipelines, sort_keys=True),
            },
            source_bucket=storage.delivery_bucket,
            context=context,
        )
        self._allow(storage, models)
        self.pipeline_arn = arn(self, "codepipeline", names.push)
        allow(self.build.role, "ReadTrigger", ["codepipeline:GetPipelineExecution"], [self.pipeline_arn])
        role = pipeline_role(
            self, source=source, artifact_bucket=storage.delivery_bucket, builds=[self.build]
        )
        pipeline = code_pipeline(
            self,
            name=names.push,
            role=role,
            artifact_bucket=storage.delivery_bucket,
            stages={
                Stage.SOURCE: [source_action(source)],
                Stage.BUILD: [build_action(Stage.BUILD, self.build, artifact=Stage.SOURCE, namespace=None)],
            },
            variables={DeliveryVariable.TRIGGER_REASON: "push"},
            triggers=source.triggers,
        )
        pipeline.node.add_dependency(self.build, *made_before)
        push = context.config.triggers.push
        triggers = Triggers(
            self,
            "Triggers",
            pipeline_arn=self.pipeline_arn,
            push_events=source.push_events if push else None,
        )
        triggers.node.add_dependency(pipeline)
        self.rules = triggers.rules

    def _allow(self, storage: Storage, models: Mapping[str, ModelNames]) -> None:
        """Compare each model's inputs with those of its last training, and start its delivery."""
        role = self.build.role
        grant_list(role, "ListDataAndResults", storage.data_bucket, storage.artifact_bucket)
        grant_read(role, "ReadInputs", storage.artifact_bucket, Prefix.INPUTS)
        grant_write(role, "RememberTests", storage.artifact_bucket, Prefix.ASSERTIONS)
        pipelines = [arn(self, "codepipeline", each.pipeline) for each in models.values()]
        allow(role, "StartDeliveries", ["codepipeline:StartPipelineExecution"], pipelines)
        projects = [arn(self, "codebuild", f"project/{each.build_project}") for each in models.values()]
        actions = ["codebuild:BatchGetBuilds", "codebuild:BatchGetProjects"]
        allow(role, "SeeBuilds", actions, projects)
        executions = [
            arn(self, "sagemaker", f"pipeline/{each.pipeline}/execution/*") for each in models.values()
        ]
        actions = ["sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps"]
        allow(role, "SeeTrainings", actions, executions, reason="SageMaker names the executions")
