from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from ml_code.contracts import Alarm
from stacks.alarms import alarm, metric
from stacks.context import ModelContext
from stacks.names import ModelNames


class ExecutionAlarms(Construct):
    """Alarms on the deliveries and trainings of one model.

    They send no message: the events of a failed action or step carry the reason, these metrics do not.
    """

    def __init__(self, scope: Construct, id: str, *, context: ModelContext) -> None:
        super().__init__(scope, id)
        names = context.names
        self.alarms = [
            alarm(self, names, what, failures, description, above=0)
            for what, failures, description in (
                (
                    Alarm.DELIVERY_FAILED,
                    delivery_metric(names, "FailedPipelineExecutions"),
                    "A delivery failed",
                ),
                (
                    Alarm.TRAINING_FAILED,
                    training_metric(names, "ExecutionFailed"),
                    "A training execution failed",
                ),
            )
        ]


def delivery_metric(names: ModelNames, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    return metric("AWS/CodePipeline", name, statistic, PipelineName=names.pipeline)


def training_metric(names: ModelNames, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    return metric("AWS/Sagemaker/ModelBuildingPipeline", name, statistic, PipelineName=names.pipeline)
