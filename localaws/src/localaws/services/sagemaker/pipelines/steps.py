"""The steps of an execution, and the jobs that they stand for."""

from dataclasses import dataclass, field
from datetime import datetime

from localaws.core.errors import Json
from localaws.core.listing import now
from localaws.services.sagemaker.pipelines.definition import Step


@dataclass(frozen=True)
class StepJob:
    """The API's names for the job of one step type."""

    operation: str  # "ProcessingJob" in CreateProcessingJob, create_processing_job
    boto_name: str
    metadata: str  # in ListPipelineExecutionSteps
    name_limit: int
    name_prefix: str = "pipelines-"


STEP_JOBS = {
    "Processing": StepJob("ProcessingJob", "processing_job", "ProcessingJob", 63),
    "Training": StepJob("TrainingJob", "training_job", "TrainingJob", 63),
    "Tuning": StepJob(
        "HyperParameterTuningJob", "hyper_parameter_tuning_job", "TuningJob", 32, name_prefix=""
    ),
}


@dataclass
class StepRun:
    """One step of an execution so far; an entry of ListPipelineExecutionSteps is made of it."""

    step: Step
    status: str = "Starting"
    start_time: datetime = field(default_factory=now)
    end_time: datetime | None = None
    failure_reason: str = ""
    metadata: Json = field(default_factory=dict)
    cache_source: str = ""  # ARN of the execution whose result is used again
    outcome: bool | None = None  # of a condition
    job_name: str = ""
    properties: Json = field(default_factory=dict)
    arguments: Json = field(default_factory=dict)

    def entry(self) -> Json:
        optional = {
            "EndTime": self.end_time,
            "FailureReason": self.failure_reason,
            "StepDisplayName": self.step.display_name,
            "StepDescription": self.step.description,
            "Metadata": self.metadata,
            "CacheHitResult": {"SourcePipelineExecutionArn": self.cache_source}
            if self.cache_source
            else None,
        }
        return {
            "StepName": self.step.name,
            "StartTime": self.start_time,
            "StepStatus": self.status,
            "AttemptCount": 1,
            **{name: value for name, value in optional.items() if value},
        }


class StepFailed(Exception):
    """A failure that ends a step; the text is its FailureReason."""


class StepStopped(Exception):
    """The step's job was stopped."""
