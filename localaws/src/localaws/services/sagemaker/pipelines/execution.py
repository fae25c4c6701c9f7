"""One execution of a pipeline (over 300 lines: its steps under one lock).

Steps run in the order of their dependencies, side by side where they have none.
"""

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.core.listing import now
from localaws.core.request_validation import validate_request
from localaws.services.iam.authorization import assume_role
from localaws.services.sagemaker.jobs.storage import split_uri
from localaws.services.sagemaker.names import LOWER_ALPHANUMERIC, random_text, step_job_name
from localaws.services.sagemaker.pipelines.definition import Definition, Step
from localaws.services.sagemaker.pipelines.expressions import DefinitionError, Scope, evaluate, holds
from localaws.services.sagemaker.pipelines.steps import STEP_JOBS, StepFailed, StepJob, StepRun, StepStopped
from localaws.services.sagemaker.shared import Shared

LOG = logging.getLogger("localaws.sagemaker")
FAILED = "Step failure: One or multiple steps failed."
ENDED = ("Succeeded", "Failed", "Stopped")


class Execution:
    """Runs in threads of its own; everything that changes is guarded by `changed`."""

    def __init__(
        self,
        shared: Shared,
        *,
        pipeline: Json,
        definition: Definition,
        request: Json,
        parameters: dict[str, Any],
        on_change: Callable[["Execution", str], None],
        find_cached: Callable[["Execution", StepRun], tuple["Execution", StepRun] | None],
        wait_for_job: Callable[[str], None],
    ) -> None:
        self._shared = shared
        self._definition = definition
        self._on_change = on_change
        self._find_cached = find_cached
        self._wait_for_job = wait_for_job
        self.id = random_text(12, LOWER_ALPHANUMERIC)
        self.arn = f"{pipeline['PipelineArn']}/execution/{self.id}"
        self.pipeline = pipeline  # as it was when the execution started
        self.given_parameters: list[Json] = request.get("PipelineParameters", [])
        self._parameters = parameters
        limits: Json = (
            request.get("ParallelismConfiguration") or pipeline.get("ParallelismConfiguration") or {}
        )
        self._parallelism: int = limits.get("MaxParallelExecutionSteps", len(definition.steps))
        self.changed = threading.Condition()
        self.runs: dict[str, StepRun] = {}
        self._skipped: set[str] = set()
        self._stopping = False
        self.finished = threading.Event()
        self.description: Json = {
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineExecutionArn": self.arn,
            "PipelineExecutionDisplayName": request.get(
                "PipelineExecutionDisplayName", f"execution-{int(now().timestamp() * 1000)}"
            ),
            "PipelineExecutionStatus": "Executing",
            "CreationTime": now(),
            "LastModifiedTime": now(),
            "CreatedBy": shared.user_context(),
            "LastModifiedBy": shared.user_context(),
            "RoleArn": pipeline["RoleArn"],
        }
        if "PipelineExecutionDescription" in request:
            self.description["PipelineExecutionDescription"] = request["PipelineExecutionDescription"]
        self._scope = Scope(parameters, self._variables(), self._properties, self._property_file)

    @property
    def status(self) -> str:
        value: str = self.description["PipelineExecutionStatus"]
        return value

    def start(self) -> None:
        threading.Thread(target=self._run, name=self.id, daemon=True).start()

    def stop(self) -> None:
        with self.changed:
            if self.status != "Executing":
                return
            self._stopping = True
            self.description["LastModifiedBy"] = self._shared.user_context()
            self._set_status("Stopping")
            self.changed.notify_all()

    def describe(self) -> Json:
        with self.changed:
            return dict(self.description)

    def entries(self) -> list[Json]:
        with self.changed:
            return [run.entry() for run in self.runs.values()]

    def _run(self) -> None:
        try:
            self._schedule()
        except Exception as error:  # a fault of the local AWS: shown, and the execution still ends
            LOG.exception("a fault of the local AWS itself")
            self._finish("Failed", f"InternalServerError: {error!r}")
            return
        if any(run.status == "Failed" for run in self.runs.values()):
            self._finish("Failed", FAILED)
        elif self._stopping:
            self._finish("Stopped", "")
        else:
            self._finish("Succeeded", "")

    def _finish(self, status: str, reason: str) -> None:
        with self.changed:
            if reason:
                self.description["FailureReason"] = reason
            self._set_status(status)
        self.finished.set()

    def _set_status(self, status: str) -> None:
        before = self.status
        self.description |= {"PipelineExecutionStatus": status, "LastModifiedTime": now()}
        self._on_change(self, before)

    def _schedule(self) -> None:
        """Start steps as they become ready; after a failure or a stop, end those that run."""
        with self.changed:
            while True:
                running = [run for run in self.runs.values() if run.status not in ENDED]
                failed = any(run.status == "Failed" for run in self.runs.values())
                if self._stopping or failed:
                    self._stop_steps(running)
                    ready: list[Step] = []
                else:
                    ready = self._ready_steps()[: max(0, self._parallelism - len(running))]
                for step in ready:
                    self.runs[step.name] = StepRun(step)
                    threading.Thread(target=self._run_step, args=(self.runs[step.name],), daemon=True).start()
                if not ready and not running:
                    return
                self.changed.wait()

    def _ready_steps(self) -> list[Step]:
        """List the steps to start now; mark those that never run, as a condition chose the other branch."""
        waiting = [
            step
            for step in self._definition.steps.values()
            if step.name not in self.runs and step.name not in self._skipped
        ]
        skipped = [step for step in waiting if self._never_runs(step)]
        if skipped:
            self._skipped |= {step.name for step in skipped}
            return self._ready_steps()
        return [step for step in waiting if self._may_run(step)]

    def _never_runs(self, step: Step) -> bool:
        if step.branch is not None:
            condition, outcome = step.branch
            run = self.runs.get(condition)
            if condition in self._skipped or (run is not None and run.outcome is (not outcome)):
                return True
        return bool(step.dependencies & self._skipped)

    def _may_run(self, step: Step) -> bool:
        before = step.dependencies | ({step.branch[0]} if step.branch else set())
        return all(name in self.runs and self.runs[name].status == "Succeeded" for name in before)

    def _stop_steps(self, running: list[StepRun]) -> None:
        for run in running:
            if run.status == "Executing" and run.job_name:
                run.status = "Stopping"
                threading.Thread(target=self._stop_job, args=(run,), daemon=True).start()

    def _stop_job(self, run: StepRun) -> None:
        job = STEP_JOBS[run.step.type]
        try:
            self._call(f"stop_{job.boto_name}", **{f"{job.operation}Name": run.job_name})
        except (ClientError, BotoCoreError, ServiceError) as error:
            with self.changed:
                run.failure_reason = f"ClientError: Failed to invoke sagemaker:Stop{job.operation}: {error}"

    def _run_step(self, run: StepRun) -> None:
        status, reason = "Succeeded", ""
        with self.changed:
            run.status = "Executing"
        self._publish_step(run, "Starting")
        try:
            self._work(run)
        except StepStopped:
            status = "Stopped"
        except StepFailed as failed:
            status, reason = "Failed", str(failed)
        except (DefinitionError, ServiceError) as error:
            status, reason = "Failed", f"ClientError: {error}"
        except Exception as error:  # a fault of the local AWS: shown, and the step still ends
            LOG.exception("a fault of the local AWS itself")
            status, reason = "Failed", f"InternalServerError: {error!r}"
        with self.changed:
            before = run.status
            run.status, run.end_time = status, now()
            run.failure_reason = reason or run.failure_reason
        self._publish_step(run, before)
        with self.changed:
            self.changed.notify_all()

    def _publish_step(self, run: StepRun, before: str) -> None:
        """Tell EventBridge that a step has another status."""
        detail = {
            "metadata": {key[0].lower() + key[1:]: value for key, value in run.metadata.items()},
            "stepStartTime": run.start_time.isoformat(),
            "stepName": run.step.name,
            "stepType": run.step.type,
            "previousStepStatus": before,
            "currentStepStatus": run.status,
            "pipelineArn": self.pipeline["PipelineArn"],
            "pipelineExecutionArn": self.arn,
        }
        if run.end_time is not None:
            detail["stepEndTime"] = run.end_time.isoformat()
        if run.status == "Failed":
            detail["failureReason"] = run.failure_reason
        self._shared.account.publish_event(
            source="aws.sagemaker",
            detail_type="SageMaker Model Building Pipeline Execution Step Status Change",
            detail=detail,
            resources=[self.pipeline["PipelineArn"], self.arn],
        )

    def _work(self, run: StepRun) -> None:
        step = run.step
        if step.type == "Condition":
            outcome = all(holds(item, self._scope) for item in step.arguments["Conditions"])
            with self.changed:
                run.outcome = outcome
                run.properties = {"Outcome": outcome}
                run.metadata = {"Condition": {"Outcome": "True" if outcome else "False"}}
        elif step.type == "Fail":
            message = str(evaluate(step.arguments.get("ErrorMessage", ""), self._scope))
            with self.changed:
                run.metadata = {"Fail": {"ErrorMessage": message}}
            raise StepFailed(message)
        else:
            self._run_job(run, STEP_JOBS[step.type])

    def _run_job(self, run: StepRun, job: StepJob) -> None:
        arguments: Json = evaluate(run.step.arguments, self._scope)
        arguments.pop(f"{job.operation}Name", None)  # a pipeline names its jobs itself
        run.arguments = arguments
        if run.step.expire_after is not None and (hit := self._find_cached(self, run)):
            source, earlier = hit
            with self.changed:
                run.cache_source = earlier.cache_source or source.arn
                run.metadata, run.properties, run.job_name = earlier.metadata, earlier.properties, ""
            return
        name = step_job_name(self.id, run.step.name, job.name_limit, prefix=job.name_prefix)
        arn = self._create_job(run, job, name)
        with self.changed:
            run.job_name = name
            run.metadata = {job.metadata: {"Arn": arn}}
            self.changed.notify_all()  # a stop may have waited for the job's name
        self._wait_for_job(arn)
        described: Json = self._invoke(
            run, job, f"describe_{job.boto_name}", **{f"{job.operation}Name": name}
        )
        status = described[f"{job.operation}Status"]
        if status == "Stopped":
            if self._stopping or run.status == "Stopping":
                raise StepStopped
            raise StepFailed(
                f"ClientError: {described.get('SecondaryStatus', 'Stopped')}: the job was stopped."
            )
        if status != "Completed":
            raise StepFailed(f"ClientError: {described.get('FailureReason', '')}")
        if run.step.type == "Tuning":
            # Its properties are those of the describe *and* of the list call, the best training job first.
            described["TrainingJobSummaries"] = self._call(
                "list_training_jobs_for_hyper_parameter_tuning_job",
                HyperParameterTuningJobName=name,
                SortBy="FinalObjectiveMetricValue",
                SortOrder="Ascending" if _minimizes(described) else "Descending",
                MaxResults=50,
            )["TrainingJobSummaries"]
        with self.changed:
            run.properties = described

    def _create_job(self, run: StepRun, job: StepJob, name: str) -> str:
        tags = [
            {"Key": "sagemaker:pipeline-execution-arn", "Value": self.arn},
            {"Key": "sagemaker:pipeline-step-name", "Value": run.step.name},
        ]
        request = {
            **run.arguments,
            f"{job.operation}Name": name,
            "Tags": [*run.arguments.get("Tags", []), *tags],
        }
        request.pop(
            "ExperimentConfig", None
        )  # the pipeline's own experiment, which the local AWS does not keep
        validate_request("sagemaker", f"Create{job.operation}", request)
        arn: str = self._invoke(run, job, f"create_{job.boto_name}", **request)[f"{job.operation}Arn"]
        return arn

    def _invoke(self, run: StepRun, job: StepJob, method: str, **request: Any) -> Json:
        try:
            return self._call(method, **request)
        except (ClientError, BotoCoreError) as error:
            verb = method.partition("_")[0].capitalize()
            message = error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceLimitExceeded":
                message += (
                    "\nRetry not appropriate on execution of step with PipelineExecutionArn "
                    f"{self.arn.lower()} and StepId {run.step.name}. "
                    "No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT."
                )
            raise StepFailed(
                f"ClientError: Failed to invoke sagemaker:{verb}{job.operation}. Error Details: {message}"
            ) from error

    def _call(self, method: str, **request: Any) -> Json:
        response: Json = getattr(self._client("sagemaker"), method)(**request)
        return response

    def _client(self, service: str) -> Any:
        """A client with the pipeline's role: its policies decide what a step may do."""
        return self._shared.account.client(service, self._credentials())

    def _credentials(self) -> Credentials:
        return assume_role(
            self._shared.account,
            self.pipeline["RoleArn"],
            principal="sagemaker.amazonaws.com",
            session_name=f"SageMaker-pipelines-{self.id}",
        )

    def _variables(self) -> dict[str, str]:
        started = self.description["CreationTime"].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {
            "StartDateTime": started,
            "CurrentDateTime": started,
            "PipelineArn": self.pipeline["PipelineArn"],
            "PipelineName": self.pipeline["PipelineName"],
            "PipelineExecutionArn": self.arn,
            "PipelineExecutionId": self.id,
        }

    def _properties(self, step: str) -> Json:
        with self.changed:
            return self.runs[step].properties

    def _property_file(self, step: str, name: str) -> Any:
        """The JSON that the step's job wrote; read from S3 with the pipeline's role."""
        declared = next(
            (
                item
                for item in self._definition.steps[step].property_files
                if item["PropertyFileName"] == name
            ),
            None,
        )
        if declared is None:
            raise DefinitionError(f"Step {step!r} has no property file {name!r}.")
        outputs = self._properties(step).get("ProcessingOutputConfig", {}).get("Outputs", [])
        uri = next(
            item["S3Output"]["S3Uri"] for item in outputs if item["OutputName"] == declared["OutputName"]
        )
        bucket, key = split_uri(f"{uri.rstrip('/')}/{declared['FilePath']}")
        try:
            body = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return json.loads(body)
        except (ClientError, ValueError) as error:
            raise StepFailed(
                f"ClientError: Failed to read property file {name} from s3://{bucket}/{key}: {error}"
            ) from error


def _minimizes(tuning_job: Json) -> bool:
    objective = tuning_job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    return bool(objective["Type"] == "Minimize")
