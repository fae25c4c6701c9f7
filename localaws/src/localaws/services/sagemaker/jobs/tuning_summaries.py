"""Summaries of a tuning job's training jobs: the best one, and how many ended how."""

from localaws.core.errors import Json


def best_summary(summaries: list[Json], *, maximize: bool) -> Json | None:
    measured = [item for item in summaries if item["ObjectiveStatus"] == "Succeeded"]
    if not measured:
        return None

    def value(item: Json) -> float:
        number: float = item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        return number

    return max(measured, key=value) if maximize else min(measured, key=value)


def counters(summaries: list[Json]) -> Json:
    statuses = [item["TrainingJobStatus"] for item in summaries]
    objectives = [item["ObjectiveStatus"] for item in summaries]
    return {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {
            "Succeeded": objectives.count("Succeeded"),
            "Pending": objectives.count("Pending"),
            "Failed": objectives.count("Failed"),
        },
    }
