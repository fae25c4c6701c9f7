"""The settings to prove: every value of every option, and the pairs of options that interact.

A new option adds its line here; all proofs of tests/options then hold for it, and its own tests ask for it there
by `synthesise(<the same settings>)`.
"""

from collections.abc import Mapping
from typing import Any

from tests.stacks.synthesis import ACCOUNT, REGION

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0a1b"
EXISTING_NETWORK: Mapping[str, Any] = {
    "network.type": "existing",
    "network.vpc_id": "vpc-0a1b2c3d",
    "network.private_subnet_ids": ("subnet-0a1b2c3d", "subnet-1a1b2c3d"),
    "network.availability_zones": ("eu-central-1a", "eu-central-1b"),
}
MLFLOW_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mlflow@sha256:{'0' * 64}"

DRIFT: Mapping[str, Any] = {
    "production.type": "realtime",
    "production.data_capture_percent": 100,
    "production.drift": True,
}

CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "prod": {"stage": "prod"},
    "models": {"max_parallel_trainings": 4, "retired_models": ("old", "older")},
    "unprefixed": {"unprefixed_model": "digits"},
    "digits": {"name": "digits"},
    "named-mlflow": {"name": "mlflow"},
    "digits-eu": {
        "name": "digits-eu",
        "production.memory_mb": 4096,
        "staging.memory_mb": 4096,
        "production.max_concurrency": 20,
        "staging.max_concurrency": 20,
        "retention.log_days": 365,
    },
    "compute": {
        "compute.preprocess.instance_type": "ml.m5.xlarge",
        "compute.preprocess.instance_count": 2,
        "compute.preprocess.max_runtime_seconds": 600,
        "compute.preprocess.volume_gb": 100,
        "compute.training.instance_type": "ml.c5.2xlarge",
        "compute.training.instance_count": 2,
        "compute.training.max_runtime_seconds": 700,
        "compute.training.volume_gb": 60,
        "compute.training.spot.max_wait_seconds": 9000,
        "compute.evaluate.instance_type": "ml.c5.xlarge",
        "compute.evaluate.max_runtime_seconds": 900,
        "compute.evaluate.volume_gb": 50,
        "compute.cache_days": 30,
    },
    "retention": {
        "retention.batch_days": 7,
        "retention.captured_days": 7,
        "retention.monitoring_days": 30,
        "retention.runs_days": 30,
    },
    "kept": {
        "retention.batch_days": 0,
        "retention.captured_days": 0,
        "retention.monitoring_days": 0,
        "retention.runs_days": 0,
    },
    "realtime": {"production.type": "realtime"},
    "realtime-all": {
        **EXISTING_NETWORK,
        "encryption": "customer",
        "monitoring": False,
        "production.type": "realtime",
        "production.instance_type": "ml.c5.xlarge",
        "production.instance_count": 3,
        "production.autoscaling.max_instance_count": 6,
        "production.autoscaling.invocations_per_instance": 3000,
        "production.autoscaling.scale_in_cooldown_seconds": 600,
        "production.autoscaling.scale_out_cooldown_seconds": 30,
        "production.data_capture_percent": 20,
        "production.rollout.type": "linear",
        "production.rollout.step_percent": 25,
        "production.rollout.bake_seconds": 600,
        "production.latency_alarm_ms": 250,
    },
    "realtime-network": {
        "network.type": "own",
        "production.type": "realtime",
        "production.instance_count": 1,
        "production.rollout.type": "all-at-once",
    },
    "realtime-staging": {
        "production.type": "realtime",
        "staging.type": "realtime",
        "production.instance_type": "ml.t2.medium",
        "staging.instance_type": "ml.t2.medium",
        "encryption": "customer",
    },
    "warm-pool": {"compute.training.spot": False, "compute.training.keep_alive_seconds": 600},
    "by-hand": {"triggers.push": False},
    "scheduled": {"source.branch": "release/1", "triggers.schedule": "rate(1 day)"},
    "cron": {"triggers.push": False, "triggers.schedule": "cron(0 3 ? * MON *)"},
    "new-data": {"triggers.new_data": True, "triggers.new_data.quiet_seconds": 60},
    "key-new-data": {"triggers.new_data": True, "encryption": "customer"},
    "github": {
        "source.type": "github",
        "source.repository": "acme/digits",
        "source.branch": "release",
        "triggers.schedule": "rate(1 day)",
    },
    "gitlab": {
        "source.type": "gitlab",
        "source.repository": "acme/digits",
        "source.branch": "release",
        "triggers.push.paths": ("ml_code/**",),
    },
    "bitbucket": {
        "source.type": "bitbucket",
        "source.repository": "acme/digits",
        "source.branch": "release",
        "triggers.push.paths": ("ml_code/**",),
        "triggers.push.excluded_paths": ("**/*.md",),
    },
    "connection": {
        "source.type": "github",
        "source.repository": "acme/digits",
        "source.connection_arn": CONNECTION,
        "triggers.push": False,
    },
    "key": {"encryption": "customer"},
    "network": {"network.type": "own"},
    "network-tracking-server": {"network.type": "own", "mlflow.type": "tracking-server"},
    "network-existing": EXISTING_NETWORK,
    "fargate": {"network.type": "own", "mlflow.type": "fargate", "encryption": "customer"},
    "fargate-prod": {
        **EXISTING_NETWORK,
        "mlflow.type": "fargate",
        "stage": "prod",
        "mlflow.image": MLFLOW_IMAGE,
    },
    "drift": DRIFT,
    "key-drift": {
        **DRIFT,
        "encryption": "customer",
        "network.type": "own",
        "production.drift.window_minutes": 15,
        "production.drift.minimum_rows": 1000,
        "production.drift.threshold_percent": 10,
    },
    "drift-untold": {**DRIFT, "monitoring": False, "stage": "prod"},
    "told": {"monitoring.notification_email": "ops@example.com", "monitoring.monthly_budget_usd": 50},
    "key-told": {
        "encryption": "customer",
        "monitoring.notification_email": "ops@example.com",
        "monitoring.monthly_budget_usd": 50,
    },
    "owned": {"owners": ("ann@example.com", "bob@example.com"), "approval": "automatic"},
    "key-owned": {"owners": ("ann@example.com",), "encryption": "customer"},
    "forgetting": {"retired_data": "delete"},
    "forgetting-tracking-server": {"retired_data": "delete", "mlflow.type": "tracking-server"},
    "unwatched": {"monitoring": False},
    "tagged": {"tags": {"cost-center": "4711"}},
    "boundary": {"permissions_boundary": "platform-boundary"},
    "boundary-arn": {"permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/platform-boundary"},
    "pushing": {"pushing_roles": ("developers", "data-science")},
    "key-prod": {"encryption": "customer", "stage": "prod"},
    "tracking-server": {"mlflow.type": "tracking-server", "mlflow.size": "Medium"},
    "tracking-server-large": {"mlflow.type": "tracking-server", "mlflow.size": "Large"},
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
    *("network-tracking-server", "key-drift", "boundary", "boundary-arn", "models", "owned", "forgetting"),
)
# The others in make test-all.
LINTED_ALWAYS = ("default", "fargate-prod", "network-tracking-server")
