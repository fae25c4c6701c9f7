from constructs import Construct

from ml_code.contracts import METRIC_NAMESPACE, PRODUCTION, Alarm, Metric
from stacks.alarms import alarm, endpoint_metric, metric
from stacks.context import ModelContext


class ProductionAlarms(Construct):
    """Alarms on the production endpoint. On instances, SageMaker rolls an update back when one goes off.

    They refer to the endpoint by its name, so that they exist before the first delivery starts.
    """

    def __init__(self, scope: Construct, id: str, *, context: ModelContext) -> None:
        super().__init__(scope, id)
        production, names = context.config.production, context.names
        endpoint = names.endpoint(PRODUCTION)
        self.alarms = {
            what: alarm(self, names, what, watched, description, above=above, minutes=minutes)
            for what, watched, description, above, minutes in (
                (
                    Alarm.PRODUCTION_ERRORS,
                    endpoint_metric(endpoint, "Invocation5XXErrors"),
                    "The production endpoint answers with errors",
                    0,
                    1,
                ),
                (
                    Alarm.PRODUCTION_LATENCY,
                    # A canary gets one request in ten by default: the slowest tenth would hide it.
                    endpoint_metric(endpoint, "ModelLatency", statistic="p99"),
                    f"The production endpoint answers slowly, one in a hundred after {production.latency_alarm_ms} ms",
                    production.latency_alarm_ms * 1000,  # microseconds
                    3,
                ),
            )
        }
        if production.type == "realtime":
            what = Alarm.PRODUCTION_QUALITY
            self.alarms[what] = alarm(
                self,
                names,
                what,
                metric(METRIC_NAMESPACE, Metric.QUALITY_SHORTFALL, "Maximum", EndpointName=endpoint),
                "The version that an update brings to production predicts worse than its gate allows",
                above=0,
            )
        self.alarm_names = [names.alarm(what) for what in self.alarms]
