"""What the factory itself measures of an endpoint, as metrics that the stack's alarms look at."""

from collections.abc import Mapping
from typing import Any

from ml_code.contracts import METRIC_NAMESPACE


def publish(cloudwatch: Any, endpoint: str, metrics: Mapping[str, float]) -> None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}]
    data = [{"MetricName": name, "Dimensions": dimensions, "Value": value} for name, value in metrics.items()]
    cloudwatch.put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)
