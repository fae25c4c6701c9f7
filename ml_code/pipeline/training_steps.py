"""The training pipeline's steps in the words of the SageMaker SDK. Import through ml_code.pipeline.definition."""

from typing import Any

from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.shapes import (
    Channel,
    CheckpointConfig,
    DataSource,
    HyperbandStrategyConfig,
    HyperParameterTuningJobStrategyConfig,
    OutputDataConfig,
    S3DataSource,
)
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo, ConditionLessThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TuningStep
from sagemaker.train.configs import Compute, Networking, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

from ml_code.contracts import Argument, Parameter, Step, Variable
from ml_code.pipeline.sdk_jobs import CODE_URI, EXIT_MESSAGE_FILE, SHARDED, Jobs, without_warning
from ml_code.pipeline.settings import PipelineSettings
from ml_code.search_space import Choice, ContinuousRange, IntegerRange
from ml_code.spec import ModelSpec, SpecError

DATA_URI = ParameterString(Parameter.DATA_URI)
# What lies under DataUri, as a hash: new data is a new argument, which no cached result fits.
DATA_VERSION = ParameterString(Parameter.DATA_VERSION)
COMMIT_ID = ParameterString(Parameter.COMMIT_ID)
TRIGGER_REASON = ParameterString(Parameter.TRIGGER_REASON, default_value="manual")

CHECKPOINTS = "/opt/ml/checkpoints"

# The trainer's constructor asks IAM about a role without the form of an ARN, as a CDK token is.
_SOME_ROLE_ARN = "arn:aws:iam::000000000000:role/replaced"

# Of Hyperband, where model.yaml has none.
DEFAULT_MIN_ROUNDS = 5

EVALUATION = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")


class _Tuner(HyperparameterTuner):  # type: ignore[misc]
    """Hands the volumes' key and the warm pool on to the training jobs, which the SDK's own tuner forgets."""

    def _build_training_job_definition(self, inputs: Any) -> Any:
        definition = super()._build_training_job_definition(inputs)
        compute, resources = self.model_trainer.compute, definition.resource_config
        resources.volume_kms_key_id = compute.volume_kms_key_id
        if compute.keep_alive_period_in_seconds:
            resources.keep_alive_period_in_seconds = compute.keep_alive_period_in_seconds
        return definition


def assemble(spec: ModelSpec, settings: PipelineSettings) -> Pipeline:
    """SpecError of a model that several instances cannot train together."""
    _refuse_several_instances(spec, settings)
    with without_warning():
        return _Builder(spec, settings).pipeline()


def _refuse_several_instances(spec: ModelSpec, settings: PipelineSettings) -> None:
    count = settings.compute.training.instance_count
    if count == 1:
        return
    if not spec.estimator.startswith("xgboost."):
        raise SpecError(
            f"compute.training.instance_count is {count}, and {spec.estimator} trains on one instance; allowed: 1, on a "
            "larger instance_type, or an estimator of xgboost"
        )
    if spec.scaler is not None:
        raise SpecError(
            f"compute.training.instance_count is {count}, and scaler is {spec.scaler}, which would see the rows of one "
            "instance only; allowed: no scaler, which trees do not need"
        )


class _Builder(Jobs):
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
        compute = self.settings.compute
        training_hosts = compute.training.instance_count
        return self.processing_step(
            Step.PREPROCESS,
            module="ml_code.jobs.preprocess",
            inputs={"data": DATA_URI},
            outputs=("train", "validation", "test", "dataset"),
            arguments=[
                *(f"--{Argument.DATA_URI}", DATA_URI, f"--{Argument.DATA_VERSION}", DATA_VERSION),
                *([f"--{Argument.TRAIN_SHARDS}", str(training_hosts)] if training_hosts > 1 else []),
            ],
            compute=compute.preprocess,
            instance_count=compute.preprocess.instance_count,
            sharded=("data",) if compute.preprocess.instance_count > 1 else (),
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
            Step.EVALUATE,
            module="ml_code.jobs.evaluate",
            inputs={
                "model": best_model,
                **{name: _output_uri(preprocess, name) for name in ("train", "validation", "test")},
                "dataset": _output_uri(preprocess, "dataset"),
            },
            outputs=("evaluation",),
            arguments=[f"--{Argument.EXIT_MESSAGE_FILE}", EXIT_MESSAGE_FILE, *self.execution_arguments()],
            compute=self.settings.compute.evaluate,
            property_files=[EVALUATION],
        )

    def register(self, preprocess: ProcessingStep, evaluate: ProcessingStep) -> ProcessingStep:
        return self.processing_step(
            Step.REGISTER,
            module="ml_code.jobs.register",
            inputs={
                "evaluation": _output_uri(evaluate, "evaluation"),
                "dataset": _output_uri(preprocess, "dataset"),
            },
            outputs=("version",),
            arguments=[f"--{Argument.CODE_URI}", CODE_URI, *self.execution_arguments()],
            compute=self.settings.compute.evaluate,
        )

    def gate(self, evaluate: ProcessingStep, register: ProcessingStep) -> ConditionStep:
        gate = self.spec.gate
        value, improvement = (
            JsonGet(step_name=evaluate.name, property_file=EVALUATION, json_path=f"gate.{name}")
            for name in ("value", "improvement_beyond_chance")
        )
        # A Fail step's message may join properties; JsonGet is documented for conditions only. So
        # the measured values come with the exit message of the evaluation.
        message = Join(on=" ", values=[evaluate.properties.ExitMessage, f"The gate asks for {gate.text}."])
        reaches = ConditionLessThanOrEqualTo if gate.is_minimized else ConditionGreaterThanOrEqualTo
        return ConditionStep(
            name=Step.GATE,
            conditions=[
                reaches(left=value, right=gate.threshold),
                ConditionGreaterThanOrEqualTo(left=improvement, right=-gate.tolerance),
            ],
            if_steps=[register],
            else_steps=[FailStep(name=Step.GATE_FAILED, error_message=message)],
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
            strategy_config=self.strategy_config(),
            early_stopping_type="Auto" if spec.tuning.early_stopping else "Off",
            # Of a grid, AWS counts them.
            max_jobs=None if spec.tuning.strategy == "Grid" else spec.job_count,
            max_parallel_jobs=spec.tuning.max_parallel_jobs,
            random_seed=spec.seed,
            tags=self.tags(),
        )
        several = self.settings.compute.training.instance_count > 1
        channels = [
            _channel(name, _output_uri(preprocess, name), is_sharded=name == "train" and several)
            for name in ("train", "validation", "dataset")
        ]
        return TuningStep(name=Step.TUNE, step_args=tuner.tune(inputs=channels))

    def strategy_config(self) -> HyperParameterTuningJobStrategyConfig | None:
        if self.spec.tuning.strategy != "Hyperband":
            return None
        # A job that reaches the most is stopped, model or not: the line of the finished model is one more report.
        rounds = HyperbandStrategyConfig(
            min_resource=self.spec.tuning.min_rounds or DEFAULT_MIN_ROUNDS,
            max_resource=self.spec.most_rounds + 2,
        )
        return HyperParameterTuningJobStrategyConfig(hyperband_strategy_config=rounds)

    def model_trainer(self) -> ModelTrainer:
        settings, environment = self.settings, self.environment("ml_code.jobs.train")
        compute = settings.compute.training
        stopping = StoppingCondition(max_runtime_in_seconds=compute.max_runtime_seconds)
        checkpoints = None
        if compute.spot:
            stopping.max_wait_time_in_seconds = compute.spot.max_wait_seconds
            checkpoints = CheckpointConfig(s3_uri=self.run_uri("checkpoints"), local_path=CHECKPOINTS)
            environment[Variable.CHECKPOINT_DIR] = CHECKPOINTS
        trainer = ModelTrainer(
            sagemaker_session=self.session,
            role=_SOME_ROLE_ARN,
            training_image=self.settings.image_uri,
            compute=Compute(
                instance_type=compute.instance_type,
                instance_count=compute.instance_count,
                volume_size_in_gb=compute.volume_gb,
                volume_kms_key_id=settings.kms_key_arn,
                enable_managed_spot_training=True if compute.spot else None,
                keep_alive_period_in_seconds=compute.keep_alive_seconds or None,
            ),
            stopping_condition=stopping,
            checkpoint_config=checkpoints,
            output_data_config=self.output_data_config(),
            networking=self.networking(),
            environment=environment,
            hyperparameters={
                # A tuning job has no entry point of its own: the image's script mode takes these two.
                "sagemaker_program": "entry_point.py",
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
        days = self.settings.compute.cache_days
        return CacheConfig(enable_caching=True, expire_after=f"P{days}D") if days else None

    def execution_arguments(self) -> list[Any]:
        return [
            *(f"--{Argument.EXECUTION_ARN}", ExecutionVariables.PIPELINE_EXECUTION_ARN),
            *(f"--{Argument.COMMIT}", COMMIT_ID),
            *(f"--{Argument.TRIGGER_REASON}", TRIGGER_REASON),
        ]


def _output_uri(step: ProcessingStep, name: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def _channel(name: str, uri: Any, *, is_sharded: bool) -> Channel:
    source = S3DataSource(
        s3_data_type="S3Prefix",
        s3_uri=uri,
        s3_data_distribution_type=SHARDED if is_sharded else "FullyReplicated",
    )
    return Channel(
        channel_name=name, content_type="application/x-parquet", data_source=DataSource(s3_data_source=source)
    )


def _tuning_range(found: IntegerRange | ContinuousRange | Choice) -> Any:
    if isinstance(found, Choice):
        return CategoricalParameter(found.texts)
    kind = IntegerParameter if isinstance(found, IntegerRange) else ContinuousParameter
    return kind(found.minimum, found.maximum, scaling_type=found.scale.capitalize())
