"""How long the buckets keep what has rows of people in it, or is made of them."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3

from ml_code.contracts import Prefix
from stacks.settings.infrastructure import Retention

# Of an overwritten or expired object, in a bucket with versions.
_OLD_VERSIONS = Duration.days(1)


def data_rules(retention: Retention) -> list[s3.LifecycleRule]:
    """Of the data bucket; raw data stay."""
    return _rules({Prefix.BATCH: retention.batch_days})


def artifact_rules(retention: Retention) -> list[s3.LifecycleRule]:
    """Of the artifact bucket; what MLflow and releases keep stays."""
    return _rules(
        {
            Prefix.CAPTURED: retention.captured_days,
            Prefix.MONITORING: retention.monitoring_days,
            Prefix.RUNS: retention.runs_days,
        }
    )


def _rules(days: dict[str, int]) -> list[s3.LifecycleRule]:
    """0 days: no rule, so the objects stay."""
    return [
        s3.LifecycleRule(
            prefix=prefix, expiration=Duration.days(kept), noncurrent_version_expiration=_OLD_VERSIONS
        )
        for prefix, kept in days.items()
        if kept
    ]
