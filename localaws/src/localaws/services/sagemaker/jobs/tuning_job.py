"""One tuning job, which launches training jobs side by side."""

import hashlib
import itertools
import logging
import threading
from collections.abc import Iterator

from localaws.core.errors import Json
from localaws.core.listing import now, pick
from localaws.services.sagemaker.jobs.early_stopping import MedianRule
from localaws.services.sagemaker.jobs.job import JobKind
from localaws.services.sagemaker.jobs.search_space import grid_combinations, random_combinations
from localaws.services.sagemaker.jobs.study import Study, hyperband_rounds
from localaws.services.sagemaker.jobs.toolkit import TUNING_METRIC
from localaws.services.sagemaker.jobs.training import Training
from localaws.services.sagemaker.jobs.training_job import TrainingJob
from localaws.services.sagemaker.jobs.tuning_summaries import best_summary, counters
from localaws.services.sagemaker.shared import Shared

LOG = logging.getLogger("localaws.sagemaker")

KIND = JobKind("hyper-parameter-tuning-job", "HyperParameterTuningJob", "")


FAILURES_BEFORE_END = 5  # with no success at all
_STOP_POLL_SECONDS = 0.1


DEFINITION_MEMBERS = {
    "DefinitionName",
    "StaticHyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "VpcConfig",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "Environment",
}


# What a training job takes over from the tuning job's definition as it is.
COPIED_MEMBERS = DEFINITION_MEMBERS - {"DefinitionName", "StaticHyperParameters"}


class TuningJob:
    """One tuning job; `description` changes under `lock` only."""

    def __init__(self, shared: Shared, training: Training, request: Json) -> None:
        self._shared = shared
        self._training = training
        self.request = request
        self.name: str = request["HyperParameterTuningJobName"]
        self.arn = KIND.arn(shared.account, self.name)
        self.finished = threading.Event()
        self.lock = threading.Lock()
        self._stopping = threading.Event()
        self._config: Json = request["HyperParameterTuningJobConfig"]
        self._definition: Json = request["TrainingJobDefinition"]
        self._study: Study | None = None
        self._early_stopping: MedianRule | None = None
        if self._config.get("TrainingJobEarlyStoppingType") == "Auto":
            self._early_stopping = MedianRule(maximize=self._maximizes)
        self._children: list[tuple[TrainingJob, dict[str, str]]] = []
        self._ended = 0
        self._succeeded = 0
        self.description: Json = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "HyperParameterTuningJobArn": self.arn,
            "HyperParameterTuningJobStatus": "InProgress",
            "CreationTime": now(),
            "LastModifiedTime": now(),
        }

    @property
    def status(self) -> str:
        value: str = self.description["HyperParameterTuningJobStatus"]
        return value

    def describe(self) -> Json:
        summaries = self.summaries()
        with self.lock:
            description = dict(self.description)
        description |= counters(summaries)
        if best := self._best(summaries):
            description["BestTrainingJob"] = best
        return description

    def summaries(self) -> list[Json]:
        """One HyperParameterTrainingJobSummary per training job, in the order of their creation."""
        with self.lock:
            children = list(self._children)
        return [self._summary(job, tuned) for job, tuned in children]

    def start(self) -> None:
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        with self.lock:
            if self.status == "InProgress":
                self.description["HyperParameterTuningJobStatus"] = "Stopping"
            children = list(self._children)
        for job, _ in children:
            if not job.finished.is_set():
                job.stop()

    def _run(self) -> None:
        status, reason = "Failed", ""
        try:
            self._search()
            if self._stopping.is_set():
                status = "Stopped"
            elif self._succeeded:
                status = "Completed"
            else:
                reason = (
                    f"No training job succeeded after {self._ended} attempts. Please take a look at the "
                    "training job failures to get more details."
                )
        except Exception as error:  # a fault of the local AWS: shown, and the job still ends
            LOG.exception("a fault of the local AWS itself")
            reason = f"InternalServerError: {error!r}"
        with self.lock:
            self.description |= {
                "HyperParameterTuningJobStatus": status,
                "HyperParameterTuningEndTime": now(),
                "LastModifiedTime": now(),
                **({"FailureReason": reason} if reason else {}),
            }
        self._shared.job_ended(self)
        self.finished.set()

    def _search(self) -> None:
        limits = self._config["ResourceLimits"]
        combinations = self._combinations()
        if "MaxNumberOfTrainingJobs" in limits:
            combinations = itertools.islice(combinations, limits["MaxNumberOfTrainingJobs"])
        tasks = enumerate(combinations, start=1)
        turn = threading.Lock()
        faults: list[Exception] = []

        def work() -> None:
            try:
                while not (self._stopping.is_set() or self._hopeless() or faults):
                    with turn:
                        task = next(tasks, None)
                    if task is None:
                        return
                    self._try(*task)
            except Exception as error:
                faults.append(error)

        workers = [
            threading.Thread(target=work, daemon=True) for _ in range(limits["MaxParallelTrainingJobs"])
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if faults:
            raise faults[0]

    def _combinations(self) -> Iterator[dict[str, str]]:
        ranges = self._config.get("ParameterRanges", {})
        if self._config["Strategy"] == "Grid":
            return grid_combinations(ranges)
        if self._config["Strategy"] in ("Bayesian", "Hyperband"):
            self._study = Study(
                ranges,
                self._config.get("RandomSeed"),
                maximize=self._maximizes,
                parallel=self._config["ResourceLimits"]["MaxParallelTrainingJobs"],
                rounds=hyperband_rounds(self._config, self._definition),
            )
            return self._study.combinations()
        return random_combinations(ranges, self._config.get("RandomSeed"))

    def _hopeless(self) -> bool:
        return not self._succeeded and self._ended >= FAILURES_BEFORE_END

    def _try(self, number: int, tuned: dict[str, str]) -> None:
        request = self._training_request(number, tuned)
        values: list[float] = []
        is_bad = threading.Event()

        def on_metric(name: str, value: float) -> None:
            if name != self._metric_name or is_bad.is_set():
                return
            values.append(value)
            if any(each.stops(number, values) for each in (self._study, self._early_stopping) if each):
                is_bad.set()

        value = None
        try:
            job = self._training.launch(request, tuning_job_arn=self.arn, on_metric=on_metric)
            with self.lock:
                self._children.append((job, tuned))
            if self._stopping.is_set():
                job.stop()
            while not job.finished.wait(_STOP_POLL_SECONDS):
                if is_bad.is_set() and job.status == "InProgress":
                    job.stop()
            value = job.metric(self._metric_name) if job.status == "Completed" else None
        finally:
            # A search waits for the result of each job, of one that could not be started, too.
            if self._study:
                self._study.learn(number, value)
        if self._early_stopping and value is not None:
            self._early_stopping.learn(number, values)
        with self.lock:
            self._ended += 1
            self._succeeded += value is not None

    def _training_request(self, number: int, tuned: dict[str, str]) -> Json:
        return training_request(self.name, self._definition, number, tuned, metric=self._metric_name)

    @property
    def _metric_name(self) -> str:
        name: str = self._config["HyperParameterTuningJobObjective"]["MetricName"]
        return name

    def _summary(self, job: TrainingJob, tuned: dict[str, str]) -> Json:
        described = job.describe()
        summary = pick(
            described,
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingStartTime",
            "TrainingEndTime",
            "TrainingJobStatus",
            "FailureReason",
        )
        summary |= {"TunedHyperParameters": tuned, "ObjectiveStatus": "Pending"}
        if "DefinitionName" in self._definition:
            summary["TrainingJobDefinitionName"] = self._definition["DefinitionName"]
        # One that was stopped may have no model, so it is none to choose.
        value = job.metric(self._metric_name) if summary["TrainingJobStatus"] != "Stopped" else None
        if value is not None:
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
                "Type": self._config["HyperParameterTuningJobObjective"]["Type"],
                "MetricName": self._metric_name,
                "Value": value,
            }
        if job.finished.is_set():
            good = value is not None and summary["TrainingJobStatus"] == "Completed"
            summary["ObjectiveStatus"] = "Succeeded" if good else "Failed"
        return summary

    def _best(self, summaries: list[Json]) -> Json | None:
        return best_summary(summaries, maximize=self._maximizes)

    @property
    def _maximizes(self) -> bool:
        kind: str = self._config["HyperParameterTuningJobObjective"]["Type"]
        return kind == "Maximize"


def training_request(
    tuning_job: str, definition: Json, number: int, tuned: dict[str, str], *, metric: str
) -> Json:
    """The CreateTrainingJob request of one trial."""
    digest = hashlib.sha256(f"{tuning_job}{number}{sorted(tuned.items())}".encode()).hexdigest()[:8]
    specification = {
        key: value for key, value in definition["AlgorithmSpecification"].items() if key != "AlgorithmName"
    }
    return {
        **{key: definition[key] for key in COPIED_MEMBERS if key in definition},
        "AlgorithmSpecification": specification,
        "TrainingJobName": f"{tuning_job}-{number:03d}-{digest}",
        "HyperParameters": {
            TUNING_METRIC: metric,
            **definition.get("StaticHyperParameters", {}),
            **tuned,
        },
    }
