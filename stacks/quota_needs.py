"""How much of SageMaker's quotas the settings use at once, by the quotas' names."""

from collections import Counter

from stacks.config_settings import Settings

SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"


def quota_needs(config: Settings, *, parallel_training_jobs: int) -> Counter[str]:
    """`parallel_training_jobs` is the tuning's, in model.yaml."""
    needs: Counter[str] = Counter()
    # The steps of a pipeline run one after another; a comparison of live inputs may run beside them.
    for instance_type, count in (
        (config.preprocess_instance_type, config.preprocess_instance_count),
        (config.evaluate_instance_type, config.evaluate_instance_count),
    ):
        name = f"{instance_type} for processing job usage"
        needs[name] = max(needs[name], count)
    if config.drift_monitoring:
        needs[f"{config.evaluate_instance_type} for processing job usage"] += 1
    kind = "spot training" if config.training_spot else "training"
    training = config.training_instance_count * parallel_training_jobs
    needs[f"{config.training_instance_type} for {kind} job usage"] = training
    production_instances = max(config.endpoint_instance_count, config.endpoint_max_instance_count)
    for mode, instances in ((config.endpoint_mode, production_instances), (config.staging_endpoint_mode, 1)):
        if mode == "serverless":
            needs[SERVERLESS_CONCURRENCY] += config.serverless_max_concurrency
        else:  # an update runs both fleets
            needs[f"{config.endpoint_instance_type} for endpoint usage"] += 2 * instances
    return needs
