"""Every setting of the factory, and every name that follows from them.

Settings stand in `cdk.json` under the context key `factory`. One of them is overridden for a single command
with `cdk deploy -c factory.<setting>=<value>`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

CONTEXT_KEY = "factory"
Stage = Literal["dev", "prod"]
Encryption = Literal["aws", "customer"]
NetworkChoice = Literal["none", "own", "existing"]
Mlflow = Literal["app", "tracking-server", "fargate"]
MlflowServerSize = Literal["Small", "Medium", "Large"]
Source = Literal["codecommit", "github", "gitlab", "bitbucket"]
EndpointMode = Literal["serverless", "realtime"]
Rollout = Literal["canary", "linear", "all-at-once"]
ENDPOINT_STAGES = ("staging", "production")
MONITOR = "monitor"
MIN_ZONES = 2
LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
                      3288, 3653)  # fmt: skip


class SettingError(ValueError):
    """A user's mistake in the settings; the message is one sentence that needs no stack trace."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        super().__init__(f"Setting {CONTEXT_KEY}.{setting} is {value!r}, allowed is {allowed}.")


@dataclass(frozen=True, kw_only=True)
class FactoryConfig:
    name: str = "model-factory"
    stage: Stage = "dev"
    source: Source = "codecommit"
    repository: str = ""
    branch: str = "main"
    connection_arn: str = ""
    trigger_on_push: bool = True
    trigger_paths: tuple[str, ...] = ()
    trigger_excluded_paths: tuple[str, ...] = ()
    trigger_schedule: str = ""
    trigger_on_new_data: bool = False
    new_data_quiet_seconds: int = 300
    preprocess_instance_type: str = "ml.m5.large"
    preprocess_instance_count: int = 1
    preprocess_max_runtime_seconds: int = 3600
    training_instance_type: str = "ml.m5.large"
    training_instance_count: int = 1
    training_max_runtime_seconds: int = 3600
    training_spot: bool = False
    training_max_wait_seconds: int = 7200
    training_keep_alive_seconds: int = 0
    evaluate_instance_type: str = "ml.m5.large"
    evaluate_instance_count: int = 1
    evaluate_max_runtime_seconds: int = 3600
    step_cache_days: int = 0
    serverless_memory_mb: int = 2048
    serverless_max_concurrency: int = 5
    endpoint_mode: EndpointMode = "serverless"
    endpoint_instance_type: str = "ml.m5.large"
    endpoint_instance_count: int = 1
    endpoint_max_instance_count: int = 0
    endpoint_invocations_per_instance: int = 1000
    endpoint_scale_in_cooldown_seconds: int = 300
    endpoint_scale_out_cooldown_seconds: int = 60
    data_capture_percent: int = 0
    rollout: Rollout = "canary"
    rollout_step_percent: int = 10
    rollout_bake_seconds: int = 300
    latency_alarm_ms: int = 5000
    log_retention_days: int = 30
    encryption: Encryption = "aws"
    network: NetworkChoice = "none"
    vpc_id: str = ""
    private_subnet_ids: tuple[str, ...] = ()
    availability_zones: tuple[str, ...] = ()
    mlflow: Mlflow = "app"
    mlflow_server_size: MlflowServerSize = "Small"
    mlflow_image: str = "ghcr.io/mlflow/mlflow:v3.10.1-full"
    drift_monitoring: bool = False
    drift_window_minutes: int = 60
    drift_minimum_rows: int = 200
    drift_threshold_percent: int = 20
    monitoring: bool = True
    notification_email: str = ""
    monthly_budget_usd: int = 0
    permissions_boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for setting, (allowed, accepts) in _RULES.items():
            value = getattr(self, setting)
            if not accepts(value):
                raise SettingError(setting, value, allowed)
        for refuse in _COMBINATIONS:
            refuse(self)

    @property
    def keeps_data_on_destroy(self) -> bool:
        return self.stage == "prod"

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> "FactoryConfig":
        """Read the context of the CDK app: `factory` itself, then `factory.<setting>` from the command line."""
        section = context.get(CONTEXT_KEY, {})
        if not isinstance(section, Mapping):
            message = f"Context key {CONTEXT_KEY} is {section!r}, allowed is an object of settings."
            raise ValueError(message)  # noqa: TRY004 (as every other mistake in the settings)
        prefix = f"{CONTEXT_KEY}."
        overrides = {
            key.removeprefix(prefix): value for key, value in context.items() if key.startswith(prefix)
        }
        types = {field.name: field.type for field in fields(cls)}
        for setting, value in {**section, **overrides}.items():
            if setting not in types:
                raise SettingError(setting, value, f"one of these settings: {', '.join(types)}")
        typed = {key: _from_command_line(value, types[key]) for key, value in overrides.items()}
        settings: dict[str, Any] = {
            key: tuple(value) if types[key] == tuple[str, ...] and isinstance(value, list) else value
            for key, value in {**section, **typed}.items()
        }
        return cls(**settings)


def _from_command_line(value: object, type_: object) -> object:
    """`-c` gives text only; a list has commas. What does not fit stays text, for the setting's rule to refuse."""
    if not isinstance(value, str):
        return value
    if type_ is int and re.fullmatch(r"-?\d+", value):
        return int(value)
    if type_ is bool and value in ("true", "false"):
        return value == "true"
    if type_ == tuple[str, ...]:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if type_ == Mapping[str, str]:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _is_int(value: object, low: int, high: int, step: int = 1) -> bool:
    # bool is an int to Python, but `true` is no number of seconds.
    return type(value) is int and low <= value <= high and value % step == 0


def _is_instance_type(value: object) -> bool:
    # The scikit-learn image is built for x86_64: a Graviton family has a "g" after its generation's digit.
    return (
        isinstance(value, str)
        and re.fullmatch(r"ml\.[a-z]+\d[a-z0-9-]*\.(\d*xlarge|large|medium)", value) is not None
        and re.match(r"ml\.[a-z]+\d+g", value) is None
    )


def _one_of(choices: Any) -> tuple[str, Callable[[Any], bool]]:
    allowed = get_args(choices)
    return f"one of {', '.join(allowed)}", lambda value: value in allowed


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and re.fullmatch(r"(?=.{3,20}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", value) is not None
        # Or `x` and `x-staging` would share the names of endpoint configurations, or of a pipeline.
        and not set(value.split("-")[1:]) & {*ENDPOINT_STAGES, MONITOR}
    )


def _is_boundary(value: object) -> bool:
    pattern = r"|[\w+=,.@/-]{1,512}|arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+"
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _are_tags(value: object) -> bool:
    characters = r"[\w\s.:/=+@-]"
    return (
        isinstance(value, Mapping)
        and len(value) <= _MAX_TAGS
        and all(
            isinstance(key, str)
            and re.fullmatch(rf"(?!(?i:aws:)){characters}{{1,128}}", key) is not None
            and key not in _OWN_TAGS
            and isinstance(text, str)
            and re.fullmatch(rf"{characters}{{1,256}}", text) is not None
            for key, text in value.items()
        )
    )


# Those that the factory sets itself; a deployment adds seven to its endpoint, and AWS allows fifty.
_OWN_TAGS = (
    "model-factory",
    "model-name",
    "model-version",
    "run-id",
    "commit",
    "data-sha256",
    "execution-arn",
    "code-uri",
)
_MAX_TAGS = 40


def _texts(pattern: str) -> Callable[[Any], bool]:
    """Accepts a tuple of different texts that match."""
    return lambda value: (
        isinstance(value, tuple)
        and len(set(value)) == len(value)
        and all(isinstance(item, str) and re.fullmatch(pattern, item) for item in value)
    )


def _is_schedule(value: object) -> bool:
    """Of EventBridge: the singular of a rate's unit for 1 only; a cron names a day of month or of week."""
    if not isinstance(value, str):
        return False
    if value == "" or re.fullmatch(r"rate\((1 (minute|hour|day)|(?!0|1 )\d+ (minutes|hours|days))\)", value):
        return True
    cron = re.fullmatch(r"cron\(([^()]+)\)", value)
    parts = cron.group(1).split(" ") if cron else []
    return (
        len(parts) == 6
        and all(re.fullmatch(r"[0-9A-Za-z*?,/#-]+", part) for part in parts)
        and (parts[2] == "?") != (parts[4] == "?")
    )


def _is_paths(value: object) -> bool:
    # CodePipeline takes eight patterns for each list.
    return (
        isinstance(value, tuple)
        and len(value) <= 8
        and all(isinstance(path, str) and 1 <= len(path) <= 255 for path in value)
    )


_BOOLEAN = ("true or false", lambda value: isinstance(value, bool))
_INSTANCE_COUNT = ("an integer from 1 to 20", lambda value: _is_int(value, 1, 20))
_COOLDOWN = ("an integer from 0 to 3600", lambda value: _is_int(value, 0, 3600))
_RUNTIME = ("an integer from 60 to 432000", lambda value: _is_int(value, 60, 432_000))
_PATHS = ("a list of up to 8 path patterns such as ml_code/**", _is_paths)
_INSTANCE_TYPE = ("an x86_64 instance type such as ml.m5.large (no Graviton)", _is_instance_type)

# Per setting: what is allowed, in words, and the check of it.
_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    # 20 characters: the longest name from it is a bucket's, of 63; CodePipeline cuts longer names in S3 keys.
    "name": (
        (
            "3 to 20 lower-case letters, digits and single hyphens, a letter first, no hyphen last, "
            "without the words -staging, -production and -monitor"
        ),
        _is_name,
    ),
    "stage": _one_of(Stage),
    "source": _one_of(Source),
    "repository": (
        "empty, or owner/name",
        lambda value: isinstance(value, str) and re.fullmatch(r"([\w.-]+(/[\w.-]+)+)?", value) is not None,
    ),
    "branch": (
        "the name of a branch",
        lambda value: isinstance(value, str) and re.fullmatch(r"[\w.-][\w./-]{0,99}", value) is not None,
    ),
    "connection_arn": (
        "empty, or the ARN of a connection of CodeConnections",
        lambda value: (
            isinstance(value, str)
            and re.fullmatch(
                r"(arn:[\w-]+:(codeconnections|codestar-connections):[\w-]+:\d{12}:connection/[\w-]+)?", value
            )
            is not None
        ),
    ),
    "trigger_on_push": _BOOLEAN,
    "trigger_paths": _PATHS,
    "trigger_excluded_paths": _PATHS,
    "trigger_schedule": (
        "empty, or EventBridge's rate(value unit) or cron(six fields, ? for one of the two days)",
        _is_schedule,
    ),
    "trigger_on_new_data": _BOOLEAN,
    "new_data_quiet_seconds": ("an integer from 10 to 86400", lambda value: _is_int(value, 10, 86_400)),
    "preprocess_instance_type": _INSTANCE_TYPE,
    "preprocess_instance_count": _INSTANCE_COUNT,
    "preprocess_max_runtime_seconds": _RUNTIME,
    "training_instance_type": _INSTANCE_TYPE,
    "training_instance_count": _INSTANCE_COUNT,
    "training_max_runtime_seconds": _RUNTIME,
    "training_spot": _BOOLEAN,
    "training_max_wait_seconds": _RUNTIME,
    "training_keep_alive_seconds": ("an integer from 0 to 3600", lambda value: _is_int(value, 0, 3600)),
    "evaluate_instance_type": _INSTANCE_TYPE,
    "evaluate_instance_count": _INSTANCE_COUNT,
    "evaluate_max_runtime_seconds": _RUNTIME,
    "step_cache_days": ("an integer from 0 to 365", lambda value: _is_int(value, 0, 365)),
    "serverless_memory_mb": (
        "one of 1024, 2048, 3072, 4096, 5120, 6144",
        lambda value: _is_int(value, 1024, 6144, step=1024),
    ),
    "serverless_max_concurrency": ("an integer from 1 to 200", lambda value: _is_int(value, 1, 200)),
    "endpoint_mode": _one_of(EndpointMode),
    "endpoint_instance_type": _INSTANCE_TYPE,
    "endpoint_instance_count": _INSTANCE_COUNT,
    "endpoint_max_instance_count": (
        "an integer from 2 to 100, or 0 for no autoscaling",
        lambda value: _is_int(value, 0, 100) and value != 1,
    ),
    "endpoint_invocations_per_instance": (
        "an integer from 1 to 1000000, of invocations a minute",
        lambda value: _is_int(value, 1, 1_000_000),
    ),
    "endpoint_scale_in_cooldown_seconds": _COOLDOWN,
    "endpoint_scale_out_cooldown_seconds": _COOLDOWN,
    "data_capture_percent": ("an integer from 0 to 100", lambda value: _is_int(value, 0, 100)),
    "rollout": _one_of(Rollout),
    "rollout_step_percent": ("an integer from 1 to 50", lambda value: _is_int(value, 1, 50)),
    # Shorter, an update would be over before the alarm on latency has its datapoints.
    "rollout_bake_seconds": ("an integer from 240 to 3600", lambda value: _is_int(value, 240, 3600)),
    "latency_alarm_ms": ("an integer from 1 to 60000", lambda value: _is_int(value, 1, 60_000)),
    "log_retention_days": (
        f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}",
        lambda value: type(value) is int and value in LOG_RETENTION_DAYS,
    ),
    "encryption": _one_of(Encryption),
    "network": _one_of(NetworkChoice),
    "vpc_id": (
        "the id of a VPC, such as vpc-0a1b2c3d4e5f67890",
        lambda value: isinstance(value, str) and re.fullmatch(r"(vpc-[0-9a-f]{8,17})?", value) is not None,
    ),
    "private_subnet_ids": (
        "a list of different ids such as subnet-0a1b2c3d4e5f67890",
        _texts(r"subnet-[0-9a-f]{8,17}"),
    ),
    "availability_zones": (
        "a list of different names such as eu-central-1a",
        _texts(r"[a-z]{2}(-[a-z]+)+-\d[a-z]"),
    ),
    "mlflow": _one_of(Mlflow),
    "mlflow_server_size": _one_of(MlflowServerSize),
    "mlflow_image": (
        "an image with a version or digest, such as registry/name:v3.10.1 or registry/name@sha256:…",
        lambda value: (
            isinstance(value, str)
            and re.fullmatch(r"[\w.-]+(:\d+)?(/[\w.-]+)+(:(?!latest)\w[\w.-]*|@sha256:[0-9a-f]{64})", value)
            is not None
        ),
    ),
    "drift_monitoring": _BOOLEAN,
    "drift_window_minutes": ("an integer from 1 to 1440", lambda value: _is_int(value, 1, 1440)),
    "drift_minimum_rows": ("an integer from 50 to 10000", lambda value: _is_int(value, 50, 10_000)),
    "drift_threshold_percent": ("an integer from 1 to 100", lambda value: _is_int(value, 1, 100)),
    "monitoring": ("true or false", lambda value: type(value) is bool),
    "notification_email": (
        "an e-mail address, or empty for none",
        lambda value: (
            isinstance(value, str) and re.fullmatch(r"|[^@\s]+@[^@\s]+\.[^@\s]+", value) is not None
        ),
    ),
    "monthly_budget_usd": (
        "an integer from 1 to 1000000, or 0 for none",
        lambda value: _is_int(value, 0, 1_000_000),
    ),
    "permissions_boundary": (
        "the name or ARN of a managed policy, or empty for none",
        _is_boundary,
    ),
    "tags": (
        (
            f"an object of at most {_MAX_TAGS} tags, texts of the characters that AWS allows in tags, "
            f"none named aws:… or like one of the factory's own ({', '.join(_OWN_TAGS)})"
        ),
        _are_tags,
    ),
}


def _refuse_local_storage(config: FactoryConfig) -> None:
    """SageMaker encrypts the local disks of an instance by their hardware, and refuses a key for them."""
    for step in ("preprocess", "training", "evaluate", "endpoint"):
        setting = f"{step}_instance_type"
        value = getattr(config, setting)
        if config.encryption == "customer" and _LOCAL_STORAGE.match(value):
            raise SettingError(
                setting, value, "with factory.encryption=customer a type without local disks (m5, c5, r5, …)"
            )


def _refuse_half_a_network(config: FactoryConfig) -> None:
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


def _refuse_size_without_server(config: FactoryConfig) -> None:
    if config.mlflow != "tracking-server" and config.mlflow_server_size != "Small":
        raise SettingError(
            "mlflow_server_size", config.mlflow_server_size, "Small unless factory.mlflow=tracking-server"
        )


def _refuse_untold(config: FactoryConfig) -> None:
    for setting in ("notification_email", "monthly_budget_usd"):
        if (value := getattr(config, setting)) and not config.monitoring:
            raise SettingError(setting, value, "none while factory.monitoring is False, which tells nobody")


def _refuse_drift(config: FactoryConfig) -> None:
    if not config.drift_monitoring:
        _require_defaults(config, _DRIFT_SETTINGS, "unless factory.drift_monitoring is true")
    if config.drift_monitoring and (config.endpoint_mode != "realtime" or not config.data_capture_percent):
        raise SettingError(
            "drift_monitoring",
            True,
            "false unless factory.endpoint_mode is realtime and factory.data_capture_percent above 0",
        )


def _refuse_server_without_network(config: FactoryConfig) -> None:
    if config.mlflow == "fargate" and config.network == "none":
        raise SettingError(
            "mlflow", "fargate", "app or tracking-server unless factory.network is own or existing"
        )


def _refuse_source(config: FactoryConfig) -> None:
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


def _refuse_spot(config: FactoryConfig) -> None:
    if config.training_spot and config.training_max_wait_seconds < config.training_max_runtime_seconds:
        raise SettingError(
            "training_max_wait_seconds",
            config.training_max_wait_seconds,
            f"no less than factory.training_max_runtime_seconds, {config.training_max_runtime_seconds}",
        )
    if config.training_spot and config.training_keep_alive_seconds:
        allowed = "0 while factory.training_spot is true: spot instances are not kept"
        raise SettingError("training_keep_alive_seconds", config.training_keep_alive_seconds, allowed)


LEAST_LINEAR_STEP_PERCENT = 10  # SageMaker's own limits
LONGEST_ROLLOUT_SECONDS = 8 * 3600 - 1800  # less the time that instances take to start
_SCALING_SETTINGS = (
    "endpoint_invocations_per_instance",
    "endpoint_scale_in_cooldown_seconds",
    "endpoint_scale_out_cooldown_seconds",
)
_DRIFT_SETTINGS = ("drift_window_minutes", "drift_minimum_rows", "drift_threshold_percent")
_REALTIME_SETTINGS = (
    "endpoint_instance_type",
    "endpoint_instance_count",
    "endpoint_max_instance_count",
    *_SCALING_SETTINGS,
    "data_capture_percent",
    "rollout",
    "rollout_step_percent",
    "rollout_bake_seconds",
)


def _require_defaults(config: FactoryConfig, settings: Sequence[str], when: str) -> None:
    """What would have no effect is a misunderstanding."""
    for setting in settings:
        value, default = getattr(config, setting), getattr(FactoryConfig, setting)
        if value != default:
            raise SettingError(setting, value, f"{default} {when}")


def _refuse_realtime(config: FactoryConfig) -> None:
    if config.endpoint_mode != "realtime":
        _require_defaults(config, _REALTIME_SETTINGS, "unless factory.endpoint_mode is realtime")
    count, most = config.endpoint_instance_count, config.endpoint_max_instance_count
    if not most:
        _require_defaults(config, _SCALING_SETTINGS, "while factory.endpoint_max_instance_count is 0")
    elif most <= count:
        allowed = f"more than factory.endpoint_instance_count, {count}, or 0 for no autoscaling"
        raise SettingError("endpoint_max_instance_count", most, allowed)


def _refuse_rollout(config: FactoryConfig) -> None:
    step, bake = config.rollout_step_percent, config.rollout_bake_seconds
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
_COMBINATIONS: Sequence[Callable[[FactoryConfig], None]] = (
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
)
