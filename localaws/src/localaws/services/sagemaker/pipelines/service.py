"""Pipelines and their executions."""

import json
import threading
from collections.abc import Callable
from typing import Any

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now, page, pick, sorted_page
from localaws.core.validation import refuse_members
from localaws.services.sagemaker.pipelines.definition import Definition, bind_parameters, parse
from localaws.services.sagemaker.pipelines.execution import Execution
from localaws.services.sagemaker.pipelines.expressions import DefinitionError
from localaws.services.sagemaker.pipelines.steps import StepRun
from localaws.services.sagemaker.shared import Shared

CREATE_MEMBERS = {
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDefinition",
    "PipelineDescription",
    "ClientRequestToken",
    "RoleArn",
    "Tags",
    "ParallelismConfiguration",
}
UPDATE_MEMBERS = CREATE_MEMBERS - {"ClientRequestToken", "Tags"}
START_MEMBERS = {
    "PipelineName",
    "PipelineExecutionDisplayName",
    "PipelineParameters",
    "PipelineExecutionDescription",
    "ClientRequestToken",
    "ParallelismConfiguration",
}


class Pipelines:
    """The operations; a pipeline is its DescribePipeline response."""

    def __init__(self, shared: Shared, wait_for_job: Callable[[str], None]) -> None:
        self._shared = shared
        self._wait_for_job = wait_for_job
        self._lock = threading.RLock()
        self._pipelines: dict[str, Json] = {}
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], str] = {}  # ClientRequestToken → ARN of what it made

    def create_pipeline(self, request: Json) -> Json:
        refuse_members(request, CREATE_MEMBERS, "CreatePipeline")
        name = request["PipelineName"]
        arn = self._arn(name)
        with self._lock:
            if (token := ("CreatePipeline", request["ClientRequestToken"])) in self._tokens:
                return {"PipelineArn": self._tokens[token]}
            if name in self._pipelines:
                raise ServiceError(
                    "ValidationException",
                    f"Pipeline names must be unique within an AWS account and region. "
                    f"Pipeline with name ({name}) already exists.",
                )
            _parsed(request.get("PipelineDefinition"))
            self._pipelines[name] = {
                "PipelineArn": arn,
                "PipelineDisplayName": name,
                **{key: value for key, value in request.items() if key not in ("ClientRequestToken", "Tags")},
                "PipelineStatus": "Active",
                "CreationTime": now(),
                "LastModifiedTime": now(),
                "CreatedBy": self._shared.user_context(),
                "LastModifiedBy": self._shared.user_context(),
            }
            self._tokens[token] = arn
        self._shared.tags.set(arn, request.get("Tags", []))
        return {"PipelineArn": arn}

    def update_pipeline(self, request: Json) -> Json:
        refuse_members(request, UPDATE_MEMBERS, "UpdatePipeline")
        with self._lock:
            pipeline = self._pipeline(request["PipelineName"])
            if "PipelineDefinition" in request:
                _parsed(request["PipelineDefinition"])
            # Replaced, not changed: executions keep the pipeline that they were started from.
            modified = {"LastModifiedTime": now(), "LastModifiedBy": self._shared.user_context()}
            changed = {**pipeline, **request, **modified}
            self._pipelines[pipeline["PipelineName"]] = changed
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe_pipeline(self, request: Json) -> Json:
        refuse_members(request, {"PipelineName"}, "DescribePipeline")
        return dict(self._pipeline(request["PipelineName"]))

    def delete_pipeline(self, request: Json) -> Json:
        with self._lock:
            pipeline = self._pipeline(request["PipelineName"])
            arn = pipeline["PipelineArn"]
            running = [run for run in self._of(arn) if not run.finished.is_set()]
            if running:
                raise ServiceError(
                    "ConflictException",
                    f"Pipeline {arn} has executions that have not ended: {', '.join(run.arn for run in running)}",
                )
            del self._pipelines[pipeline["PipelineName"]]
            for run in self._of(arn):
                del self._executions[run.arn]
        self._shared.tags.forget(arn)
        return {"PipelineArn": arn}

    def list_pipelines(self, request: Json) -> Json:
        prefix = request.get("PipelineNamePrefix", "")
        members = ("PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn")
        summaries = []
        for pipeline in list(self._pipelines.values()):
            if not pipeline["PipelineName"].startswith(prefix):
                continue
            summary = pick(pipeline, *members, "CreationTime", "LastModifiedTime")
            if "LastRunTime" in pipeline:
                summary["LastExecutionTime"] = pipeline["LastRunTime"]
            summaries.append(summary)
        return sorted_page(request, summaries, member="PipelineSummaries", name="PipelineName")

    def start_pipeline_execution(self, request: Json) -> Json:
        refuse_members(request, START_MEMBERS, "StartPipelineExecution")
        with self._lock:
            if (token := ("StartPipelineExecution", request["ClientRequestToken"])) in self._tokens:
                return {"PipelineExecutionArn": self._tokens[token]}
            pipeline = self._pipeline(request["PipelineName"])
            definition = _parsed(pipeline["PipelineDefinition"])
            parameters = _bound(definition, request.get("PipelineParameters", []))
            self._pipelines[pipeline["PipelineName"]] = {**pipeline, "LastRunTime": now()}
            execution = Execution(
                self._shared,
                pipeline=pipeline,
                definition=definition,
                request=request,
                parameters=parameters,
                on_change=self._publish,
                find_cached=self.cached,
                wait_for_job=self._wait_for_job,
            )
            self._executions[execution.arn] = execution
            self._tokens[token] = execution.arn
        self._publish(execution, "")
        execution.start()
        return {"PipelineExecutionArn": execution.arn}

    def stop_pipeline_execution(self, request: Json) -> Json:
        execution = self.execution(request)
        if execution.finished.is_set():
            raise ServiceError(
                "ConflictException",
                f"Pipeline execution with ARN {execution.arn} status {execution.status}. "
                "Only pipelines with status Executing can be stopped.",
            )
        execution.stop()
        return {"PipelineExecutionArn": execution.arn}

    def describe_pipeline_execution(self, request: Json) -> Json:
        return self.execution(request).describe()

    def describe_pipeline_definition_for_execution(self, request: Json) -> Json:
        pipeline = self.execution(request).pipeline
        return {
            "PipelineDefinition": pipeline["PipelineDefinition"],
            "CreationTime": pipeline["CreationTime"],
        }

    def list_pipeline_executions(self, request: Json) -> Json:
        pipeline = self._pipeline(request["PipelineName"])
        summaries = []
        for execution in self._of(pipeline["PipelineArn"]):
            described = execution.describe()
            summary = pick(
                described,
                "PipelineExecutionArn",
                "PipelineExecutionStatus",
                "PipelineExecutionDescription",
                "PipelineExecutionDisplayName",
            )
            summary["StartTime"] = described["CreationTime"]
            if "FailureReason" in described:
                summary["PipelineExecutionFailureReason"] = described["FailureReason"]
            summaries.append(summary)
        return sorted_page(request, summaries, member="PipelineExecutionSummaries", created="StartTime")

    def list_pipeline_execution_steps(self, request: Json) -> Json:
        if "PipelineExecutionArn" not in request:
            raise ServiceError("ValidationException", "PipelineExecutionArn must be given.")
        entries = self.execution(request).entries()
        return sorted_page(request, entries, member="PipelineExecutionSteps", created="StartTime")

    def list_pipeline_parameters_for_execution(self, request: Json) -> Json:
        return page("PipelineParameters", self.execution(request).given_parameters, request)

    def execution(self, request: Json) -> Execution:
        arn = request["PipelineExecutionArn"]
        execution = self._executions.get(arn)
        if execution is None:
            raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")
        return execution

    def cached(self, current: Execution, run: StepRun) -> tuple[Execution, StepRun] | None:
        """The latest successful run of the same step with the same arguments, if it is young enough."""
        assert run.step.expire_after is not None
        key = _cache_key(run)
        moment = now()
        with self._lock:
            executions = self._of(current.pipeline["PipelineArn"])
        for execution in reversed(executions):
            earlier = execution.runs.get(run.step.name)
            if execution is current or earlier is None or earlier.status != "Succeeded":
                continue
            if earlier.cache_source or _cache_key(earlier) != key or earlier.end_time is None:
                continue
            if moment - earlier.end_time <= run.step.expire_after:
                return execution, earlier
        return None

    def _of(self, pipeline_arn: str) -> list[Execution]:
        return [item for item in self._executions.values() if item.pipeline["PipelineArn"] == pipeline_arn]

    def _arn(self, name: str) -> str:
        return self._shared.account.arn("sagemaker", f"pipeline/{name}")

    def _pipeline(self, name_or_arn: str) -> Json:
        name = name_or_arn.rpartition("/")[2]
        pipeline = self._pipelines.get(name)
        if pipeline is None:
            raise ServiceError("ResourceNotFound", f"Pipeline '{self._arn(name)}' does not exist.")
        return pipeline

    def _publish(self, execution: Execution, before: str) -> None:
        described = execution.description
        detail = {
            "pipelineExecutionDescription": described.get("PipelineExecutionDescription", ""),
            "pipelineExecutionDisplayName": described["PipelineExecutionDisplayName"],
            "currentPipelineExecutionStatus": described["PipelineExecutionStatus"],
            "executionStartTime": described["CreationTime"].isoformat(),
            "pipelineArn": described["PipelineArn"],
            "pipelineExecutionArn": described["PipelineExecutionArn"],
        }
        if before:
            detail["previousPipelineExecutionStatus"] = before
        self._shared.account.publish_event(
            source="aws.sagemaker",
            detail_type="SageMaker Model Building Pipeline Execution Status Change",
            detail=detail,
            resources=[described["PipelineArn"], described["PipelineExecutionArn"]],
        )


def _parsed(text: str | None) -> Definition:
    if text is None:
        raise ServiceError("ValidationException", "PipelineDefinition must be given.")
    try:
        return parse(text)
    except DefinitionError as error:
        raise ServiceError("ValidationException", str(error)) from error


def _bound(definition: Definition, parameters: list[Json]) -> dict[str, Any]:
    try:
        return bind_parameters(definition, {item["Name"]: item["Value"] for item in parameters})
    except DefinitionError as error:
        raise ServiceError("ValidationException", str(error)) from error


# The arguments that a step's result is found by, as the developer guide lists them ("Default cache key attributes
# by pipeline step type"); outputs, resources and limits are none.
_CACHE_KEYS: dict[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        *("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations"),
        *("Environment", "HyperParameters", "InputDataConfig"),
    ),
    "Tuning": ("HyperParameterTuningJobConfig", "TrainingJobDefinition"),
}
_TUNED_CACHE_KEYS = ("AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters",
                     "TuningObjective")  # fmt: skip


def _cache_key(run: StepRun) -> str:
    arguments = pick(run.arguments, *_CACHE_KEYS[run.step.type])
    if "TrainingJobDefinition" in arguments:
        arguments["TrainingJobDefinition"] = pick(arguments["TrainingJobDefinition"], *_TUNED_CACHE_KEYS)
    return json.dumps([run.step.type, arguments], sort_keys=True, default=str)
