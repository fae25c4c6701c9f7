"""The metrics of AWS/SageMaker that each InvokeEndpoint gives.

https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html, with the dimension EndpointConfigName of
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
"""

from localaws.core.metrics import Metric, MetricStore, metric

NAMESPACE = "AWS/SageMaker"
NAMES = (
    "Invocations",
    "Invocation4XXErrors",
    "Invocation5XXErrors",
    "InvocationsPerInstance",
    "ModelLatency",
    "OverheadLatency",
)


class InvocationMetrics:
    """The captured records or metrics of one variant."""

    def __init__(
        self, store: MetricStore, *, endpoint: str, variant: str, config: str, instance_count: int
    ) -> None:
        self._store = store
        self._share = 1 / instance_count
        both = {"EndpointName": endpoint, "VariantName": variant}
        self._metrics = [
            {name: metric(NAMESPACE, name, dimensions) for name in NAMES}
            for dimensions in (both, {**both, "EndpointConfigName": config})
        ]

    def record(self, status: int, model_seconds: float, overhead_seconds: float) -> None:
        """`status` is the container's; 0 when it did not answer."""
        values = {
            "Invocations": 1.0,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500 or status == 0),
            "InvocationsPerInstance": self._share,
            "ModelLatency": _microseconds(model_seconds),
            "OverheadLatency": _microseconds(overhead_seconds),
        }
        self._store.record(self._datapoints(values))

    def _datapoints(self, values: dict[str, float]) -> list[tuple[Metric, float]]:
        return [(found[name], value) for found in self._metrics for name, value in values.items()]


def _microseconds(seconds: float) -> float:
    return float(round(seconds * 1_000_000))
