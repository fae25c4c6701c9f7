"""The settings to prove: every value of every option, and the pairs of options that interact.

A new option adds its line here; all proofs of tests/options then hold for it, and its own tests ask for it there
by `synthesise(<the same settings>)`.
"""

from collections.abc import Mapping
from typing import Any

from tests.stacks.synthesis import ACCOUNT, REGION

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0a1b"
EXISTING_NETWORK: Mapping[str, Any] = {
    "network": "existing",
    "vpc_id": "vpc-0a1b2c3d",
    "private_subnet_ids": ("subnet-0a1b2c3d", "subnet-1a1b2c3d"),
    "availability_zones": ("eu-central-1a", "eu-central-1b"),
}
MLFLOW_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mlflow@sha256:{'0' * 64}"

DRIFT: Mapping[str, Any] = {
    "endpoint_mode": "realtime",
    "data_capture_percent": 100,
    "drift_monitoring": True,
}

CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "prod": {"stage": "prod"},
    "digits": {"name": "digits"},
    "named-mlflow": {"name": "mlflow"},
    "digits-eu": {
        "name": "digits-eu",
        "serverless_memory_mb": 4096,
        "serverless_max_concurrency": 20,
        "log_retention_days": 365,
    },
    "compute": {
        "preprocess_instance_type": "ml.m5.xlarge",
        "preprocess_instance_count": 2,
        "preprocess_max_runtime_seconds": 600,
        "training_instance_type": "ml.c5.2xlarge",
        "training_instance_count": 2,
        "training_max_runtime_seconds": 700,
        "training_spot": True,
        "training_max_wait_seconds": 9000,
        "evaluate_instance_type": "ml.c5.xlarge",
        "evaluate_instance_count": 2,
        "evaluate_max_runtime_seconds": 900,
        "step_cache_days": 30,
    },
    "retention": {
        "batch_retention_days": 7,
        "captured_retention_days": 7,
        "monitoring_retention_days": 30,
        "runs_retention_days": 30,
    },
    "kept": {
        "batch_retention_days": 0,
        "captured_retention_days": 0,
        "monitoring_retention_days": 0,
        "runs_retention_days": 0,
    },
    "realtime": {"endpoint_mode": "realtime"},
    "realtime-all": {
        **EXISTING_NETWORK,
        "encryption": "customer",
        "monitoring": False,
        "endpoint_mode": "realtime",
        "endpoint_instance_type": "ml.c5.xlarge",
        "endpoint_instance_count": 3,
        "endpoint_max_instance_count": 6,
        "endpoint_invocations_per_instance": 3000,
        "endpoint_scale_in_cooldown_seconds": 600,
        "endpoint_scale_out_cooldown_seconds": 30,
        "data_capture_percent": 20,
        "rollout": "linear",
        "rollout_step_percent": 25,
        "rollout_bake_seconds": 600,
        "latency_alarm_ms": 250,
    },
    "realtime-network": {
        "network": "own",
        "endpoint_mode": "realtime",
        "endpoint_instance_count": 1,
        "rollout": "all-at-once",
    },
    "realtime-staging": {
        "endpoint_mode": "realtime",
        "staging_endpoint_mode": "realtime",
        "endpoint_instance_type": "ml.t2.medium",
        "encryption": "customer",
    },
    "warm-pool": {"training_spot": False, "training_keep_alive_seconds": 600},
    "by-hand": {"trigger_on_push": False},
    "scheduled": {"branch": "release/1", "trigger_schedule": "rate(1 day)"},
    "cron": {"trigger_on_push": False, "trigger_schedule": "cron(0 3 ? * MON *)"},
    "new-data": {"trigger_on_new_data": True, "new_data_quiet_seconds": 60},
    "key-new-data": {"trigger_on_new_data": True, "encryption": "customer"},
    "github": {
        "source": "github",
        "repository": "acme/digits",
        "branch": "release",
        "trigger_schedule": "rate(1 day)",
    },
    "gitlab": {
        "source": "gitlab",
        "repository": "acme/digits",
        "branch": "release",
        "trigger_paths": ("ml_code/**",),
    },
    "bitbucket": {
        "source": "bitbucket",
        "repository": "acme/digits",
        "branch": "release",
        "trigger_paths": ("ml_code/**",),
        "trigger_excluded_paths": ("**/*.md",),
    },
    "connection": {
        "source": "github",
        "repository": "acme/digits",
        "connection_arn": CONNECTION,
        "trigger_on_push": False,
    },
    "key": {"encryption": "customer"},
    "network": {"network": "own"},
    "network-tracking-server": {"network": "own", "mlflow": "tracking-server"},
    "network-existing": EXISTING_NETWORK,
    "fargate": {"network": "own", "mlflow": "fargate", "encryption": "customer"},
    "fargate-prod": {
        **EXISTING_NETWORK,
        "mlflow": "fargate",
        "stage": "prod",
        "mlflow_image": MLFLOW_IMAGE,
    },
    "drift": DRIFT,
    "key-drift": {
        **DRIFT,
        "encryption": "customer",
        "network": "own",
        "drift_window_minutes": 15,
        "drift_minimum_rows": 1000,
        "drift_threshold_percent": 10,
    },
    "drift-untold": {**DRIFT, "monitoring": False, "stage": "prod"},
    "told": {"notification_email": "ops@example.com", "monthly_budget_usd": 50},
    "key-told": {"encryption": "customer", "notification_email": "ops@example.com", "monthly_budget_usd": 50},
    "unwatched": {"monitoring": False},
    "tagged": {"tags": {"cost-center": "4711"}},
    "boundary": {"permissions_boundary": "platform-boundary"},
    "boundary-arn": {"permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/platform-boundary"},
    "pushing": {"pushing_roles": ("developers", "data-science")},
    "key-prod": {"encryption": "customer", "stage": "prod"},
    "tracking-server": {"mlflow": "tracking-server", "mlflow_server_size": "Medium"},
    "tracking-server-large": {"mlflow": "tracking-server", "mlflow_server_size": "Large"},
}

# The linter takes longer than the synthesis. These have, together, every property that any configuration has; a test holds it.
LINTED = (
    *(
        "default",
        "fargate",
        "fargate-prod",
        "drift-untold",
        "key-told",
        "new-data",
        "bitbucket",
        "connection",
    ),
    *("network-tracking-server", "key-drift", "boundary", "boundary-arn"),
)
