"""SageMaker's quotas that the settings use at once, by the quotas' names."""

from collections import Counter

from stacks.settings.endpoints import RealtimeProduction, ServerlessEndpoint, StagingInstance
from stacks.settings.factory import FactoryConfig

SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"


def quota_needs(config: FactoryConfig, *, parallel_training_jobs: int) -> Counter[str]:
    """`parallel_training_jobs` is the tuning's, in model.yaml."""
    needs: Counter[str] = Counter()
    compute = config.compute
    # The steps of a pipeline run one after another; a comparison of live inputs may run beside them.
    for job in (compute.preprocess, compute.evaluate):
        name = f"{job.instance_type} for processing job usage"
        needs[name] = max(needs[name], job.instance_count)
    if config.drift:
        needs[f"{compute.evaluate.instance_type} for processing job usage"] += 1
    kind = "spot training" if compute.training.spot else "training"
    instances = compute.training.instance_count * parallel_training_jobs
    needs[f"{compute.training.instance_type} for {kind} job usage"] = instances
    for endpoint in (config.production, config.staging):
        if isinstance(endpoint, ServerlessEndpoint):
            needs[SERVERLESS_CONCURRENCY] += endpoint.max_concurrency
        else:  # an update runs both fleets
            needs[f"{endpoint.instance_type} for endpoint usage"] += 2 * _most_instances(endpoint)
    return needs


def _most_instances(endpoint: RealtimeProduction | StagingInstance) -> int:
    if isinstance(endpoint, StagingInstance):
        return 1
    return endpoint.autoscaling.max_instance_count if endpoint.autoscaling else endpoint.instance_count
