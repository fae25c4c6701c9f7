"""The common parts of every pipeline's jobs, in the words of the SageMaker SDK."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow import steps as sdk_steps
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep

from ml_code.contracts import RETRIES, Parameter, Prefix, Variable, of_model
from ml_code.pipeline.compute import Processing
from ml_code.pipeline.settings import PipelineSettings

CODE_URI = ParameterString(Parameter.CODE_URI)

INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
SHARDED = "ShardedByS3Key"
# SageMaker shows the first kilobyte of this file as the job's ExitMessage.
EXIT_MESSAGE_FILE = "/opt/ml/output/message"


class _OfflineBoto(boto3.Session):
    """Knows its region and makes no client: a definition calls nothing, and a client takes long to make."""

    def client(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        pass

    def resource(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        pass


class _OfflineSession(PipelineSession):  # type: ignore[misc]
    """A session that uses a role unchanged: IAM cannot expand a token of the CDK."""

    def expand_role(self, role: str) -> str:
        return role


class _LocalClient:
    """All that a processing step asks of the SDK's local client, which makes clients of AWS."""

    def create_processing_job(self) -> None:
        pass


sdk_steps.LocalSagemakerClient = _LocalClient


@contextmanager
def without_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        # "no job being started": the very purpose here
        warnings.filterwarnings("ignore", message="Running within a PipelineSession")
        yield


class Jobs:
    """The common parts of every pipeline's jobs."""

    def __init__(self, settings: PipelineSettings) -> None:
        self.settings = settings
        self.session = _OfflineSession(
            boto_session=_OfflineBoto(region_name=settings.region),
            default_bucket=settings.artifact_bucket,
        )
        # Not the defaults that the SDK finds in files of the user's.
        self.session.sagemaker_config = {}

    def processing_step(
        self,
        name: str,
        *,
        module: str,
        inputs: Mapping[str, Any],
        outputs: Sequence[str],
        arguments: Sequence[Any],
        compute: Processing,
        property_files: Sequence[PropertyFile] = (),
        cache_config: CacheConfig | None = None,
        instance_count: int = 1,
        sharded: Sequence[str] = (),
    ) -> ProcessingStep:
        """A step that runs `module`; each input and output folder is an argument of it, too.

        Of the inputs `sharded` each instance gets its share of the files, of the others all.
        """
        processor = Processor(
            role=self.settings.role_arn,
            image_uri=self.settings.image_uri,
            instance_count=instance_count,
            instance_type=compute.instance_type,
            volume_size_in_gb=compute.volume_gb,
            entrypoint=["python3", f"{INPUT}/code/entry_point.py"],
            max_runtime_in_seconds=compute.max_runtime_seconds,
            # SageMaker writes with AWS's key for S3 instead of the bucket's, unless the job names one.
            output_kms_key=self.settings.kms_key_arn,
            network_config=self.network_config(),
            volume_kms_key=self.settings.kms_key_arn,
            env={
                **self.environment(module),
                Variable.EXIT_MESSAGE_FILE: EXIT_MESSAGE_FILE,
            },
            tags=self.tags(),
            sagemaker_session=self.session,
        )
        folders = [(f"--{key}-dir", f"{INPUT}/{key}") for key in inputs]
        folders += [(f"--{key}-out", f"{OUTPUT}/{key}") for key in outputs]
        step_args = processor.run(
            inputs=[
                _input(key, uri, is_sharded=key in sharded)
                for key, uri in {"code": CODE_URI, **inputs}.items()
            ],
            outputs=[_output(key, self.run_uri(name.lower(), key)) for key in outputs],
            arguments=[*(part for pair in folders for part in pair), *arguments],
        )
        return ProcessingStep(
            name=name, step_args=step_args, property_files=list(property_files), cache_config=cache_config
        )

    def network_config(self) -> NetworkConfig | None:
        if not self.settings.subnet_ids:
            return None
        return NetworkConfig(
            subnets=self.settings.subnet_ids, security_group_ids=self.settings.security_group_ids
        )

    def environment(self, module: str) -> dict[str, str]:
        """The variables of every job; its entry point runs `module`."""
        return {
            Variable.JOB_MODULE: module,
            **RETRIES,
            "AWS_DEFAULT_REGION": self.settings.region,
            Variable.MLFLOW_TRACKING_URI: self.settings.mlflow_tracking_uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # A job imports a small part of what it installs, and compiling all takes longer than the rest.
            "PIP_NO_COMPILE": "1",
        }

    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.settings.tags.items()]

    def run_uri_parts(self, *folders: str) -> list[Any]:
        execution_id = ExecutionVariables.PIPELINE_EXECUTION_ID
        runs = of_model(Prefix.RUNS, self.settings.model_name).rstrip("/")
        return ["s3:/", self.settings.artifact_bucket, runs, execution_id, *folders]

    def run_uri(self, *folders: str) -> Join:
        return Join(on="/", values=self.run_uri_parts(*folders))


def _input(name: str, uri: Any, *, is_sharded: bool) -> ProcessingInput:
    source = ProcessingS3Input(
        s3_uri=uri,
        local_path=f"{INPUT}/{name}",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
        **({"s3_data_distribution_type": SHARDED} if is_sharded else {}),
    )
    return ProcessingInput(input_name=name, s3_input=source)


def _output(name: str, uri: Any) -> ProcessingOutput:
    target = ProcessingS3Output(s3_uri=uri, local_path=f"{OUTPUT}/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=target)
