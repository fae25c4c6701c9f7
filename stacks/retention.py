"""Retention of objects with rows of people, or made of them."""

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3

from ml_code.contracts import Prefix
from stacks.settings.infrastructure import Retention

# Of an overwritten or expired object, in a bucket with versions.
_OLD_VERSIONS = Duration.days(1)


def data_rules(retention: Retention) -> list[s3.LifecycleRule]:
    """The lifecycle rules of the data bucket; raw data stay."""
    return _rules({Prefix.BATCH: retention.batch_days})


def artifact_rules(retention: Retention) -> list[s3.LifecycleRule]:
    """The lifecycle rules of the artifact bucket; objects of MLflow and of releases stay."""
    return _rules(
        {
            Prefix.CAPTURED: retention.captured_days,
            Prefix.MONITORING: retention.monitoring_days,
            Prefix.RUNS: retention.runs_days,
        }
    )


def _rules(days: dict[str, int]) -> list[s3.LifecycleRule]:
    """A lifecycle rule for each prefix; none for 0 days, so the objects stay."""
    return [
        s3.LifecycleRule(
            prefix=prefix, expiration=Duration.days(kept), noncurrent_version_expiration=_OLD_VERSIONS
        )
        for prefix, kept in days.items()
        if kept
    ]
