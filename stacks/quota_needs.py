"""SageMaker's quotas that the settings use at once, by the quotas' names."""

from collections import Counter
from collections.abc import Sequence

from stacks.context import ModelContext
from stacks.settings.endpoints import RealtimeProduction, ServerlessEndpoint, StagingInstance

SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"


def quota_needs(models: Sequence[ModelContext], max_parallel_trainings: int) -> Counter[str]:
    """Count the endpoints of all models, so many trainings at once, and a comparison of live inputs for each model."""
    trainings = [_training_needs(model) for model in models]
    names = sorted({name for each in trainings for name in each})
    needs = Counter(
        {
            name: sum(sorted((each[name] for each in trainings), reverse=True)[:max_parallel_trainings])
            for name in names
        }
    )
    for model in models:
        config = model.config
        if config.drift:
            needs[f"{config.compute.evaluate.instance_type} for processing job usage"] += 1
        for endpoint in (config.production, config.staging):
            if isinstance(endpoint, ServerlessEndpoint):
                needs[SERVERLESS_CONCURRENCY] += endpoint.max_concurrency
            else:  # an update runs both fleets
                needs[f"{endpoint.instance_type} for endpoint usage"] += 2 * _most_instances(endpoint)
    return needs


def _training_needs(model: ModelContext) -> Counter[str]:
    needs: Counter[str] = Counter()
    compute = model.config.compute
    # The steps of a pipeline run one after another.
    for job, count in ((compute.preprocess, compute.preprocess.instance_count), (compute.evaluate, 1)):
        name = f"{job.instance_type} for processing job usage"
        needs[name] = max(needs[name], count)
    kind = "spot training" if compute.training.spot else "training"
    instances = compute.training.instance_count * model.spec.tuning.max_parallel_jobs
    needs[f"{compute.training.instance_type} for {kind} job usage"] = instances
    return needs


def _most_instances(endpoint: RealtimeProduction | StagingInstance) -> int:
    if isinstance(endpoint, StagingInstance):
        return 1
    return endpoint.autoscaling.max_instance_count if endpoint.autoscaling else endpoint.instance_count
