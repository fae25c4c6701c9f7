"""The pipeline's steps in the words of the SageMaker SDK. Import through ml_code.pipeline."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
from sagemaker.core.network import NetworkConfig
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    Channel,
    CheckpointConfig,
    DataSource,
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    S3DataSource,
)
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow import steps as sdk_steps
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TuningStep
from sagemaker.train.configs import Compute, Networking, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

from ml_code.pipeline import MonitorSettings, PipelineSettings
from ml_code.spec import Choice, ContinuousRange, IntegerRange, ModelSpec

CODE_URI = ParameterString("CodeUri")
DATA_URI = ParameterString("DataUri")
# What lies under DataUri, as a hash: new data is a new argument, which no cached result fits.
DATA_VERSION = ParameterString("DataVersion")
COMMIT_ID = ParameterString("CommitId")
TRIGGER_REASON = ParameterString("TriggerReason", default_value="manual")
# Of the monitoring pipeline.
MODEL_VERSION = ParameterString("ModelVersion")
RUN_ID = ParameterString("RunId")
WINDOW_START = ParameterString("WindowStart")
WINDOW_END = ParameterString("WindowEnd")

INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
# SageMaker shows the first kilobyte of this file as the job's ExitMessage.
EXIT_MESSAGE_FILE = "/opt/ml/output/message"
CHECKPOINTS = "/opt/ml/checkpoints"

# The trainer's constructor asks IAM about a role without the form of an ARN, as a CDK token is.
_SOME_ROLE_ARN = "arn:aws:iam::000000000000:role/replaced"

EVALUATION = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")


class _OfflineBoto(boto3.Session):  # type: ignore[misc]
    """Knows its region and makes no client: a definition calls nothing, and a client takes long to make."""

    def client(self, *_: Any, **__: Any) -> None:
        pass

    def resource(self, *_: Any, **__: Any) -> None:
        pass


class _OfflineSession(PipelineSession):  # type: ignore[misc]
    """Takes a role as it is: a token of the CDK is none that IAM could expand."""

    def expand_role(self, role: str) -> str:
        return role


class _Tuner(HyperparameterTuner):  # type: ignore[misc]
    """Hands the volumes' key and the warm pool on to the training jobs, which the SDK's own tuner forgets."""

    def _build_training_job_definition(self, inputs: Any) -> Any:
        definition = super()._build_training_job_definition(inputs)
        compute, resources = self.model_trainer.compute, definition.resource_config
        resources.volume_kms_key_id = compute.volume_kms_key_id
        if compute.keep_alive_period_in_seconds:
            resources.keep_alive_period_in_seconds = compute.keep_alive_period_in_seconds
        return definition


class _LocalClient:
    """All that a processing step asks of the SDK's local client, which makes clients of AWS."""

    def create_processing_job(self) -> None:
        pass


sdk_steps.LocalSagemakerClient = _LocalClient


def assemble(spec: ModelSpec, settings: PipelineSettings) -> Pipeline:
    with _without_warning():
        return _Builder(spec, settings).pipeline()


def assemble_monitor(settings: PipelineSettings, monitor: MonitorSettings) -> Pipeline:
    with _without_warning():
        return _MonitorBuilder(settings, monitor).pipeline()


@contextmanager
def _without_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        # "no job being started": the very purpose here
        warnings.filterwarnings("ignore", message="Running within a PipelineSession")
        yield


class _Jobs:
    """What the jobs of every pipeline have in common."""

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
        module: str | None = None,
        inputs: Mapping[str, Any],
        outputs: Sequence[str],
        arguments: Sequence[Any],
        instance_type: str,
        max_runtime_seconds: int,
        instance_count: int = 1,
        property_files: Sequence[PropertyFile] = (),
        cache_config: CacheConfig | None = None,
    ) -> ProcessingStep:
        """A step that runs `module`, by default ml_code.steps.<name>; each input and output folder is an argument too."""
        processor = Processor(
            role=self.settings.role_arn,
            image_uri=self.settings.image_uri,
            instance_count=instance_count,
            instance_type=instance_type,
            entrypoint=["python3", f"{INPUT}/code/job.py", module or f"ml_code.steps.{name.lower()}"],
            max_runtime_in_seconds=max_runtime_seconds,
            # SageMaker writes with AWS's key for S3, whatever the bucket's own is, unless it is told.
            output_kms_key=self.settings.kms_key_arn,
            network_config=self.network_config(),
            volume_kms_key=self.settings.kms_key_arn,
            env={**self.environment(), "EXIT_MESSAGE_FILE": EXIT_MESSAGE_FILE},
            tags=self.tags(),
            sagemaker_session=self.session,
        )
        folders = [(f"--{key}-dir", f"{INPUT}/{key}") for key in inputs]
        folders += [(f"--{key}-out", f"{OUTPUT}/{key}") for key in outputs]
        step_args = processor.run(
            inputs=[_input(key, uri) for key, uri in {"code": CODE_URI, **inputs}.items()],
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

    def environment(self) -> dict[str, str]:
        return {
            "AWS_DEFAULT_REGION": self.settings.region,
            "MLFLOW_TRACKING_URI": self.settings.mlflow_tracking_uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.settings.tags.items()]

    def run_uri_parts(self, *folders: str) -> list[Any]:
        execution_id = ExecutionVariables.PIPELINE_EXECUTION_ID
        return ["s3:/", self.settings.artifact_bucket, "runs", execution_id, *folders]

    def run_uri(self, *folders: str) -> Join:
        return Join(on="/", values=self.run_uri_parts(*folders))


class _Builder(_Jobs):
    def __init__(self, spec: ModelSpec, settings: PipelineSettings) -> None:
        super().__init__(settings)
        self.spec = spec

    def pipeline(self) -> Pipeline:
        preprocess = self.preprocess()
        tune = self.tune(preprocess)
        evaluate = self.evaluate(preprocess, tune)
        register = self.register(preprocess, evaluate)
        # Without a gate, Register follows by what it takes from Evaluate.
        last = self.gate(evaluate, register) if self.spec.gate.mode == "enabled" else register
        return Pipeline(
            name=self.settings.pipeline_name,
            parameters=[CODE_URI, DATA_URI, DATA_VERSION, COMMIT_ID, TRIGGER_REASON],
            steps=[preprocess, tune, evaluate, last],
            sagemaker_session=self.session,
            # MLflow holds the experiments; SageMaker's own would outlive the factory.
            pipeline_experiment_config=None,
        )

    def preprocess(self) -> ProcessingStep:
        return self.processing_step(
            "Preprocess",
            inputs={"data": DATA_URI},
            outputs=("train", "validation", "test", "dataset"),
            arguments=["--data-uri", DATA_URI, "--data-version", DATA_VERSION],
            instance_type=self.settings.preprocess_instance_type,
            instance_count=self.settings.preprocess_instance_count,
            max_runtime_seconds=self.settings.preprocess_max_runtime_seconds,
            # The steps behind it name the execution in their arguments: nothing of theirs is found again.
            cache_config=self.cache_config(),
        )

    def evaluate(self, preprocess: ProcessingStep, tune: TuningStep) -> ProcessingStep:
        best_model = Join(
            on="/",
            values=[
                *self.run_uri_parts("tune"),
                tune.properties.TrainingJobSummaries[0].TrainingJobName,
                "output/model.tar.gz",
            ],
        )
        return self.processing_step(
            "Evaluate",
            inputs={
                "model": best_model,
                "test": _output_uri(preprocess, "test"),
                "dataset": _output_uri(preprocess, "dataset"),
            },
            outputs=("evaluation",),
            arguments=["--exit-message-file", EXIT_MESSAGE_FILE, *self.execution_arguments()],
            instance_type=self.settings.evaluate_instance_type,
            instance_count=self.settings.evaluate_instance_count,
            max_runtime_seconds=self.settings.evaluate_max_runtime_seconds,
            property_files=[EVALUATION],
        )

    def register(self, preprocess: ProcessingStep, evaluate: ProcessingStep) -> ProcessingStep:
        return self.processing_step(
            "Register",
            inputs={
                "evaluation": _output_uri(evaluate, "evaluation"),
                "dataset": _output_uri(preprocess, "dataset"),
            },
            outputs=("version",),
            arguments=["--code-uri", CODE_URI, *self.execution_arguments()],
            instance_type=self.settings.evaluate_instance_type,
            max_runtime_seconds=self.settings.evaluate_max_runtime_seconds,
        )

    def gate(self, evaluate: ProcessingStep, register: ProcessingStep) -> ConditionStep:
        gate = self.spec.gate
        value, improvement = (
            JsonGet(step_name=evaluate.name, property_file=EVALUATION, json_path=f"gate.{name}")
            for name in ("value", "improvement")
        )
        # A Fail step's message may join properties; JsonGet is documented for conditions only. So
        # the measured values come with the exit message of the evaluation.
        message = Join(on=" ", values=[evaluate.properties.ExitMessage, f"The gate asks for {gate.text}."])
        return ConditionStep(
            name="Gate",
            conditions=[
                ConditionGreaterThanOrEqualTo(left=value, right=gate.threshold),
                ConditionGreaterThanOrEqualTo(left=improvement, right=-gate.tolerance),
            ],
            if_steps=[register],
            else_steps=[FailStep(name="GateFailed", error_message=message)],
        )

    def tune(self, preprocess: ProcessingStep) -> TuningStep:
        spec, metric_name = self.spec, self.spec.objective.metric_name
        tuner = _Tuner(
            model_trainer=self.model_trainer(),
            objective_metric_name=metric_name,
            metric_definitions=[{"Name": metric_name, "Regex": spec.objective.log_pattern}],
            hyperparameter_ranges={name: _tuning_range(found) for name, found in spec.search.items()},
            strategy=spec.tuning.strategy,
            objective_type=spec.objective.direction.capitalize(),
            max_jobs=spec.tuning.max_jobs,
            max_parallel_jobs=spec.tuning.max_parallel_jobs,
            random_seed=spec.seed,
            tags=self.tags(),
        )
        channels = [
            _channel(name, _output_uri(preprocess, name)) for name in ("train", "validation", "dataset")
        ]
        return TuningStep(name="Tune", step_args=tuner.tune(inputs=channels))

    def model_trainer(self) -> ModelTrainer:
        settings, environment = self.settings, self.environment()
        stopping = StoppingCondition(max_runtime_in_seconds=settings.training_max_runtime_seconds)
        checkpoints = None
        if settings.training_spot:
            stopping.max_wait_time_in_seconds = settings.training_max_wait_seconds
            checkpoints = CheckpointConfig(s3_uri=self.run_uri("checkpoints"), local_path=CHECKPOINTS)
            environment["CHECKPOINT_DIR"] = CHECKPOINTS
        trainer = ModelTrainer(
            sagemaker_session=self.session,
            role=_SOME_ROLE_ARN,
            training_image=self.settings.image_uri,
            compute=Compute(
                instance_type=settings.training_instance_type,
                instance_count=settings.training_instance_count,
                volume_size_in_gb=30,
                volume_kms_key_id=settings.kms_key_arn,
                enable_managed_spot_training=settings.training_spot or None,
                keep_alive_period_in_seconds=settings.training_keep_alive_seconds or None,
            ),
            stopping_condition=stopping,
            checkpoint_config=checkpoints,
            output_data_config=self.output_data_config(),
            networking=self.networking(),
            environment=environment,
            hyperparameters={
                # A tuning job has no entry point of its own: the image's script mode takes these two.
                "sagemaker_program": "ml_code/steps/train.py",
                "sagemaker_submit_directory": Join(on="", values=[CODE_URI, "source.tar.gz"]),
                "execution_arn": ExecutionVariables.PIPELINE_EXECUTION_ARN,
                "commit": COMMIT_ID,
                "trigger_reason": TRIGGER_REASON,
            },
        )
        trainer.role = self.settings.role_arn
        return trainer

    def networking(self) -> Networking | None:
        if not self.settings.subnet_ids:
            return None
        return Networking(
            subnets=self.settings.subnet_ids, security_group_ids=self.settings.security_group_ids
        )

    def output_data_config(self) -> OutputDataConfig:
        # A key that is None would be written as null, which SageMaker refuses.
        key = {"kms_key_id": self.settings.kms_key_arn} if self.settings.kms_key_arn else {}
        return OutputDataConfig(s3_output_path=self.run_uri("tune"), **key)

    def cache_config(self) -> CacheConfig | None:
        days = self.settings.step_cache_days
        return CacheConfig(enable_caching=True, expire_after=f"P{days}D") if days else None

    def execution_arguments(self) -> list[Any]:
        return [
            *("--execution-arn", ExecutionVariables.PIPELINE_EXECUTION_ARN),
            *("--commit", COMMIT_ID),
            *("--trigger-reason", TRIGGER_REASON),
        ]


class _MonitorBuilder(_Jobs):
    def __init__(self, settings: PipelineSettings, monitor: MonitorSettings) -> None:
        super().__init__(settings)
        self.monitor = monitor

    def pipeline(self) -> Pipeline:
        monitor = self.monitor
        arguments = {
            "endpoint-name": monitor.endpoint_name,
            "model-version": MODEL_VERSION,
            "run-id": RUN_ID,
            "captured-uri": monitor.captured_uri,
            "reports-uri": monitor.reports_uri,
            "window-start": WINDOW_START,
            "window-end": WINDOW_END,
            "minimum-rows": str(monitor.minimum_rows),
            "smallest-statistic": str(monitor.threshold_percent / 100),
        }
        compare = self.processing_step(
            "Compare",
            module="ml_code.monitoring.window",
            inputs={},
            outputs=(),
            arguments=[word for name, value in arguments.items() for word in (f"--{name}", value)],
            instance_type=self.settings.evaluate_instance_type,
            max_runtime_seconds=self.settings.evaluate_max_runtime_seconds,
        )
        return Pipeline(
            name=self.settings.pipeline_name,
            parameters=[CODE_URI, MODEL_VERSION, RUN_ID, WINDOW_START, WINDOW_END],
            steps=[compare],
            sagemaker_session=self.session,
            pipeline_experiment_config=None,
        )


def _input(name: str, uri: Any) -> ProcessingInput:
    source = ProcessingS3Input(
        s3_uri=uri, local_path=f"{INPUT}/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
    )
    return ProcessingInput(input_name=name, s3_input=source)


def _output(name: str, uri: Any) -> ProcessingOutput:
    target = ProcessingS3Output(s3_uri=uri, local_path=f"{OUTPUT}/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=target)


def _output_uri(step: ProcessingStep, name: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def _channel(name: str, uri: Any) -> Channel:
    source = S3DataSource(s3_data_type="S3Prefix", s3_uri=uri, s3_data_distribution_type="FullyReplicated")
    return Channel(channel_name=name, content_type="text/csv", data_source=DataSource(s3_data_source=source))


def _tuning_range(found: IntegerRange | ContinuousRange | Choice) -> Any:
    if isinstance(found, Choice):
        return CategoricalParameter(list(found.values))
    kind = IntegerParameter if isinstance(found, IntegerRange) else ContinuousParameter
    return kind(found.minimum, found.maximum, scaling_type=found.scale.capitalize())
