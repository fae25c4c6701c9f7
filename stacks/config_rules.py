"""What each setting allows, in words, and the check of it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from ml_code.contracts import ENDPOINT_STAGES, Tag
from stacks.config_settings import (
    Encryption,
    EndpointMode,
    Mlflow,
    MlflowServerSize,
    NetworkChoice,
    Rollout,
    Source,
    Stage,
)
from stacks.names import MONITOR

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
                      3288, 3653)  # fmt: skip


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
_OWN_TAGS = tuple(value for name, value in vars(Tag).items() if name.isupper())
_MAX_TAGS = 40


def _texts(pattern: str) -> Callable[[Any], bool]:
    """Accept a tuple of different texts that match."""
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


def _retention(least: int) -> tuple[str, Callable[[Any], bool]]:
    allowed = f"an integer from {least} to 3650, or 0 for no limit"
    return allowed, lambda value: _is_int(value, least, 3650) or _is_int(value, 0, 0)


_BOOLEAN = ("true or false", lambda value: isinstance(value, bool))
_INSTANCE_COUNT = ("an integer from 1 to 20", lambda value: _is_int(value, 1, 20))
_COOLDOWN = ("an integer from 0 to 3600", lambda value: _is_int(value, 0, 3600))
_RUNTIME = ("an integer from 60 to 432000", lambda value: _is_int(value, 60, 432_000))
_PATHS = ("a list of up to 8 path patterns such as ml_code/**", _is_paths)
_INSTANCE_TYPE = ("an x86_64 instance type such as ml.m5.large (no Graviton)", _is_instance_type)

# Per setting: what is allowed, in words, and the check of it.
RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
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
    "staging_endpoint_mode": _one_of(EndpointMode),
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
    "batch_retention_days": _retention(1),
    # The comparison of a window may come a day after its requests.
    "captured_retention_days": _retention(2),
    "monitoring_retention_days": _retention(7),
    # An execution of four jobs may take twenty days.
    "runs_retention_days": _retention(30),
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
    "pushing_roles": (
        "a list of at most 20 different names of IAM roles, without their paths",
        lambda value: _texts(r"[\w+=,.@-]{1,64}")(value) and len(value) <= 20,
    ),
    "tags": (
        (
            f"an object of at most {_MAX_TAGS} tags, texts of the characters that AWS allows in tags, "
            f"none named aws:… or like one of the factory's own ({', '.join(_OWN_TAGS)})"
        ),
        _are_tags,
    ),
}
