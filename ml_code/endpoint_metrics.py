"""The factory's own measurements of an endpoint, as metrics for the stack's alarms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ml_code.contracts import METRIC_NAMESPACE

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef


def publish(cloudwatch: "CloudWatchClient", endpoint: str, metrics: Mapping[str, float]) -> None:
    dimensions: list[DimensionTypeDef] = [{"Name": "EndpointName", "Value": endpoint}]
    data: list[MetricDatumTypeDef] = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value} for name, value in metrics.items()
    ]
    cloudwatch.put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)
