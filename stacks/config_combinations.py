"""Settings that do not fit each other."""

import re
from collections.abc import Callable, Sequence

from stacks.config_settings import SettingError, Settings

MIN_ZONES = 2


def _refuse_local_storage(config: Settings) -> None:
    """SageMaker encrypts the local disks of an instance by their hardware, and refuses a key for them."""
    for step in ("preprocess", "training", "evaluate", "endpoint"):
        setting = f"{step}_instance_type"
        value = getattr(config, setting)
        if config.encryption == "customer" and _LOCAL_STORAGE.match(value):
            raise SettingError(
                setting, value, "with factory.encryption=customer a type without local disks (m5, c5, r5, …)"
            )


def _refuse_half_a_network(config: Settings) -> None:
    """An existing VPC is described by settings, because a synthesis asks AWS nothing."""
    existing = config.network == "existing"
    for setting in ("vpc_id", "private_subnet_ids", "availability_zones"):
        value = getattr(config, setting)
        if existing and not value:
            raise SettingError(setting, value, "with factory.network=existing what describes the VPC")
        if value and not existing:
            raise SettingError(setting, value, "empty unless factory.network=existing")
    zones = config.availability_zones
    if existing and (len(zones) < MIN_ZONES or len(zones) != len(config.private_subnet_ids)):
        raise SettingError(
            "availability_zones", zones, f"one zone for each of at least {MIN_ZONES} private_subnet_ids"
        )


def _refuse_size_without_server(config: Settings) -> None:
    if config.mlflow != "tracking-server" and config.mlflow_server_size != "Small":
        raise SettingError(
            "mlflow_server_size", config.mlflow_server_size, "Small unless factory.mlflow=tracking-server"
        )


def _refuse_untold(config: Settings) -> None:
    for setting in ("notification_email", "monthly_budget_usd"):
        if (value := getattr(config, setting)) and not config.monitoring:
            raise SettingError(setting, value, "none while factory.monitoring is False, which tells nobody")


def _refuse_drift(config: Settings) -> None:
    if not config.drift_monitoring:
        _require_defaults(config, _DRIFT_SETTINGS, "unless factory.drift_monitoring is true")
    if config.drift_monitoring and (config.endpoint_mode != "realtime" or not config.data_capture_percent):
        raise SettingError(
            "drift_monitoring",
            True,
            "false unless factory.endpoint_mode is realtime and factory.data_capture_percent above 0",
        )


def _refuse_server_without_network(config: Settings) -> None:
    if config.mlflow == "fargate" and config.network == "none":
        raise SettingError(
            "mlflow", "fargate", "app or tracking-server unless factory.network is own or existing"
        )


def _refuse_source(config: Settings) -> None:
    """By connection, a repository is named and its pushes have paths; CodeCommit's have none."""
    if config.source == "codecommit":
        for setting in ("repository", "connection_arn", "trigger_paths", "trigger_excluded_paths"):
            if value := getattr(config, setting):
                raise SettingError(setting, value, "nothing while factory.source is codecommit")
    elif not config.repository:
        raise SettingError(
            "repository", config.repository, f"owner/name while factory.source is {config.source}"
        )
    for setting in ("trigger_paths", "trigger_excluded_paths"):
        value = getattr(config, setting)
        if value and not config.trigger_on_push:
            raise SettingError(setting, value, "nothing while factory.trigger_on_push is false")


def _refuse_spot(config: Settings) -> None:
    if config.training_spot and config.training_max_wait_seconds < config.training_max_runtime_seconds:
        raise SettingError(
            "training_max_wait_seconds",
            config.training_max_wait_seconds,
            f"no less than factory.training_max_runtime_seconds, {config.training_max_runtime_seconds}",
        )
    if config.training_spot and config.training_keep_alive_seconds:
        allowed = "0 while factory.training_spot is true: spot instances are not kept"
        raise SettingError("training_keep_alive_seconds", config.training_keep_alive_seconds, allowed)


def _refuse_cache_of_deleted_runs(config: Settings) -> None:
    """A cached result of preprocess lies below runs/."""
    if 0 < config.runs_retention_days <= config.step_cache_days:
        allowed = f"more than factory.step_cache_days, {config.step_cache_days}, or 0 for no limit"
        raise SettingError("runs_retention_days", config.runs_retention_days, allowed)


LEAST_LINEAR_STEP_PERCENT = 10  # SageMaker's own limits
LEAST_GUARDED_INSTANCES = 2
LONGEST_ROLLOUT_SECONDS = 8 * 3600 - 1800  # less the time that instances take to start
_SCALING_SETTINGS = (
    "endpoint_invocations_per_instance",
    "endpoint_scale_in_cooldown_seconds",
    "endpoint_scale_out_cooldown_seconds",
)
_DRIFT_SETTINGS = ("drift_window_minutes", "drift_minimum_rows", "drift_threshold_percent")
_REALTIME_SETTINGS = (
    "staging_endpoint_mode",
    "endpoint_instance_type",
    "endpoint_instance_count",
    "endpoint_max_instance_count",
    *_SCALING_SETTINGS,
    "data_capture_percent",
    "rollout",
    "rollout_step_percent",
    "rollout_bake_seconds",
)


def _require_defaults(config: Settings, settings: Sequence[str], when: str) -> None:
    """What would have no effect is a misunderstanding."""
    for setting in settings:
        value, default = getattr(config, setting), getattr(Settings, setting)
        if value != default:
            raise SettingError(setting, value, f"{default} {when}")


def _refuse_realtime(config: Settings) -> None:
    if config.endpoint_mode != "realtime":
        _require_defaults(config, _REALTIME_SETTINGS, "unless factory.endpoint_mode is realtime")
    count, most = config.endpoint_instance_count, config.endpoint_max_instance_count
    if not most:
        _require_defaults(config, _SCALING_SETTINGS, "while factory.endpoint_max_instance_count is 0")
    elif most <= count:
        allowed = f"more than factory.endpoint_instance_count, {count}, or 0 for no autoscaling"
        raise SettingError("endpoint_max_instance_count", most, allowed)


def _refuse_rollout(config: Settings) -> None:
    step, bake, count = (
        config.rollout_step_percent,
        config.rollout_bake_seconds,
        config.endpoint_instance_count,
    )
    if config.rollout != "all-at-once" and count < LEAST_GUARDED_INSTANCES:
        allowed = f"at least {LEAST_GUARDED_INSTANCES} while factory.rollout is {config.rollout}"
        reason = "SageMaker shifts to half of the instances at most before the rest"
        raise SettingError("endpoint_instance_count", count, f"{allowed}: {reason}")
    if config.rollout == "all-at-once":
        _require_defaults(config, ["rollout_step_percent"], "while factory.rollout is all-at-once")
    if config.rollout == "linear" and step < LEAST_LINEAR_STEP_PERCENT:
        allowed = f"an integer from {LEAST_LINEAR_STEP_PERCENT} to 50 while factory.rollout is linear"
        raise SettingError("rollout_step_percent", step, allowed)
    if config.rollout == "linear" and bake * -(-100 // step) > LONGEST_ROLLOUT_SECONDS:
        allowed = f"at most {LONGEST_ROLLOUT_SECONDS // -(-100 // step)} with steps of {step} percent"
        raise SettingError("rollout_bake_seconds", bake, f"{allowed}: SageMaker ends an update after 8 hours")


# Families with local disks: a "d" among the letters after the generation, and most of the accelerated ones.
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+\d[a-z]*d[a-z]*\.|g\d|trn\d|p[4-9])")
COMBINATIONS: Sequence[Callable[[Settings], None]] = (
    _refuse_realtime,
    _refuse_rollout,
    _refuse_drift,
    _refuse_half_a_network,
    _refuse_local_storage,
    _refuse_server_without_network,
    _refuse_size_without_server,
    _refuse_untold,
    _refuse_source,
    _refuse_spot,
    _refuse_cache_of_deleted_runs,
)
