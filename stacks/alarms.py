from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from ml_code.contracts import VARIANT_NAME
from stacks.names import ModelNames


def alarm(
    scope: Construct,
    names: ModelNames,
    what: str,
    metric: cloudwatch.Metric,
    description: str,
    *,
    above: float,
    minutes: int = 1,
) -> cloudwatch.Alarm:
    """An alarm that goes off when each of so many minutes has a value above `above`."""
    return cloudwatch.Alarm(
        scope,
        f"Alarm-{what}",
        alarm_name=names.alarm(what),
        alarm_description=description,
        metric=metric,
        threshold=above,
        evaluation_periods=minutes,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        # No traffic is no error.
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )


def metric(namespace: str, name: str, statistic: str, **dimensions: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        dimensions_map=dimensions,
        period=Duration.minutes(1),
    )


def endpoint_metric(endpoint: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    return metric("AWS/SageMaker", name, statistic, EndpointName=endpoint, VariantName=VARIANT_NAME)
