"""Hyperparameter tuning jobs: real training jobs, side by side."""

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import pick, sorted_page
from localaws.core.request_validation import validate_request
from localaws.core.validation import refuse_members, refuse_values
from localaws.services.sagemaker.jobs.job_table import JobTable
from localaws.services.sagemaker.jobs.search_space import check_ranges, grid_combinations
from localaws.services.sagemaker.jobs.study import hyperband_rounds
from localaws.services.sagemaker.jobs.training import Training, check, training_use
from localaws.services.sagemaker.jobs.tuning_job import DEFINITION_MEMBERS, KIND, TuningJob, training_request
from localaws.services.sagemaker.quotas import Use
from localaws.services.sagemaker.shared import Shared

MEMBERS = {"HyperParameterTuningJobName", "HyperParameterTuningJobConfig", "TrainingJobDefinition", "Tags"}
MOST_ROUNDS = 20_000
CONFIG_MEMBERS = {
    "Strategy",
    "HyperParameterTuningJobObjective",
    "ResourceLimits",
    "ParameterRanges",
    "TrainingJobEarlyStoppingType",
    "RandomSeed",
    "StrategyConfig",
}


class Tuning:
    """The operations."""

    def __init__(self, shared: Shared, training: Training) -> None:
        self._shared = shared
        self._training = training
        self.table = JobTable(KIND)
        shared.quotas.counted.append(
            lambda: [_use(job.request) for job in self.table.all() if not job.finished.is_set()]
        )

    def create_hyper_parameter_tuning_job(self, request: Json) -> Json:
        _check(request)
        self._shared.quotas.require(_use(request))
        # Tuning jobs accept a warm pool's period and forget it (aws-controllers-k8s/sagemaker-controller#176).
        request["TrainingJobDefinition"]["ResourceConfig"].pop("KeepAlivePeriodInSeconds", None)
        job = TuningJob(self._shared, self._training, request)
        self.table.add(job)
        self._shared.tags.set(job.arn, request.get("Tags", []))
        job.start()
        return {"HyperParameterTuningJobArn": job.arn}

    def describe_hyper_parameter_tuning_job(self, request: Json) -> Json:
        return self.job(request).describe()

    def stop_hyper_parameter_tuning_job(self, request: Json) -> Json:
        self.job(request).stop()
        return {}

    def list_hyper_parameter_tuning_jobs(self, request: Json) -> Json:
        summaries = []
        for job in self.table.all():
            described = job.describe()
            summary = pick(
                described,
                "HyperParameterTuningJobName",
                "HyperParameterTuningJobArn",
                "HyperParameterTuningJobStatus",
                "CreationTime",
                "HyperParameterTuningEndTime",
                "LastModifiedTime",
                "TrainingJobStatusCounters",
                "ObjectiveStatusCounters",
            )
            config = described["HyperParameterTuningJobConfig"]
            summaries.append(summary | pick(config, "Strategy", "ResourceLimits"))
        return self.table.page(request, summaries)

    def list_training_jobs_for_hyper_parameter_tuning_job(self, request: Json) -> Json:
        job = self.job(request)
        name = request["HyperParameterTuningJobName"]
        if job.name != name:  # only Describe and Stop are known to take the lower-case name
            raise _missing(name)
        summaries = job.summaries()
        if request.get("SortBy") == "FinalObjectiveMetricValue":
            key = "FinalHyperParameterTuningJobObjectiveMetric"
            summaries = [item | {"_value": item[key]["Value"]} for item in summaries if key in item]
            response = sorted_page(
                {**request, "SortBy": ""},
                summaries,
                member="TrainingJobSummaries",
                created="_value",
                descending=False,
            )
            for item in response["TrainingJobSummaries"]:
                del item["_value"]
            return response
        return sorted_page(
            request,
            summaries,
            member="TrainingJobSummaries",
            name="TrainingJobName",
            status="TrainingJobStatus",
            descending=False,
        )

    def job(self, request: Json) -> TuningJob:
        name = request["HyperParameterTuningJobName"]
        try:
            job: TuningJob = self.table.get(name)
        except ServiceError as error:
            raise _missing(name) from error
        return job


def _missing(name: str) -> ServiceError:
    return ServiceError("ResourceNotFound", f"Amazon SageMaker can't find a tuning job named {name}.")


def _use(request: Json) -> Use:
    """The quota's use of a tuning job: as many jobs as may run at once, whether or not they do."""
    name, count = training_use(request["TrainingJobDefinition"])
    limits = request["HyperParameterTuningJobConfig"]["ResourceLimits"]
    return name, count * limits["MaxParallelTrainingJobs"]


def _check(request: Json) -> None:
    refuse_members(request, MEMBERS, "CreateHyperParameterTuningJob")
    config = request["HyperParameterTuningJobConfig"]
    refuse_members(config, CONFIG_MEMBERS, "HyperParameterTuningJobConfig")
    refuse_values(
        {
            "Strategy": (config["Strategy"], ("Random", "Bayesian", "Grid", "Hyperband")),
            "TrainingJobEarlyStoppingType": (config.get("TrainingJobEarlyStoppingType"), ("Off", "Auto")),
        }
    )
    definition = request.get("TrainingJobDefinition")
    if definition is None or "HyperParameterTuningJobObjective" not in config:
        raise ServiceError(
            "ValidationException",
            "TrainingJobDefinition and HyperParameterTuningJobConfig.HyperParameterTuningJobObjective "
            "must be given.",
        )
    refuse_members(definition, DEFINITION_MEMBERS, "TrainingJobDefinition")
    _check_ranges(config, definition)
    _check_hyperband(config, definition)
    metric = config["HyperParameterTuningJobObjective"]["MetricName"]
    example = training_request(request["HyperParameterTuningJobName"], definition, 1, {}, metric=metric)
    validate_request("sagemaker", "CreateTrainingJob", example)
    check(example)
    defined = [item["Name"] for item in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]
    if metric not in defined:
        raise ServiceError(
            "ValidationException",
            f"Objective metric {metric!r} is not among the MetricDefinitions of the algorithm: {defined}.",
        )


def _check_hyperband(config: Json, definition: Json) -> None:
    is_hyperband = config["Strategy"] == "Hyperband"
    if "StrategyConfig" in config and not is_hyperband:
        raise ServiceError("ValidationException", "StrategyConfig is supported for Strategy Hyperband only.")
    if is_hyperband and config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise ServiceError(
            "ValidationException", "TrainingJobEarlyStoppingType must be Off to use Strategy Hyperband."
        )
    rounds = hyperband_rounds(config, definition)
    if rounds and not 1 <= rounds[0] <= rounds[1] <= MOST_ROUNDS:
        raise ServiceError(
            "ValidationException",
            f"MinResource must not exceed MaxResource, and MaxResource not {MOST_ROUNDS}: got {rounds[0]} and {rounds[1]}.",
        )


def _check_ranges(config: Json, definition: Json) -> None:
    ranges = config.get("ParameterRanges", {})
    refuse_members(
        ranges,
        {"IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges"},
        "ParameterRanges",
    )
    check_ranges(ranges)
    names = [item["Name"] for items in ranges.values() for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    static = sorted(set(names) & definition.get("StaticHyperParameters", {}).keys())
    if twice or static:
        raise ServiceError(
            "ValidationException",
            f"Hyperparameters must not be given twice, in ranges and StaticHyperParameters: {twice + static}.",
        )
    limits = config["ResourceLimits"]
    if config["Strategy"] == "Grid":
        if ranges.get("IntegerParameterRanges") or ranges.get("ContinuousParameterRanges"):
            raise ServiceError(
                "ValidationException", "Strategy Grid supports CategoricalParameterRanges only."
            )
        size = sum(1 for _ in grid_combinations(ranges))
        if limits.get("MaxNumberOfTrainingJobs", size) != size:
            raise ServiceError(
                "ValidationException",
                f"MaxNumberOfTrainingJobs must be the size of the grid, {size}, or not given; "
                f"got {limits['MaxNumberOfTrainingJobs']}.",
            )
    elif "MaxNumberOfTrainingJobs" not in limits:
        raise ServiceError(
            "ValidationException", f"Strategy {config['Strategy']} needs MaxNumberOfTrainingJobs."
        )
