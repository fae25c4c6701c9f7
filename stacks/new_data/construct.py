import json

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from ml_code.contracts import Prefix, Variable, of_model
from stacks.context import ModelContext
from stacks.delivery_pipeline import DeliveryPipeline
from stacks.function import own_function
from stacks.permissions import allow, arn, grant_pass_role, service_role
from stacks.storage import Storage
from stacks.training import Training

_SCHEDULER = "scheduler.amazonaws.com"
# ARRIVED is for the function to fill in; the token is the scheduler's own.
_START_INPUT = json.dumps({"arrived": "ARRIVED", "token": "<aws.scheduler.execution-id>"})
_NEVER = "at(2099-12-31T23:59:59)"


class NewData(Construct):
    """Starts the delivery pipeline when objects came under raw/ and then none for the quiet period.

    One schedule that each object moves, because it has no state to lose: a queue with a delay would start one
    run a message, FIFO's deduplication has a fixed window of five minutes, and looking around every few minutes
    would list the bucket all the time. The function is called once for each object.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: ModelContext,
        quiet_seconds: int,
        storage: Storage,
        training: Training,
        pipeline: DeliveryPipeline,
    ) -> None:
        super().__init__(scope, id)
        names = context.names
        self.schedule_name = names.new_data
        self.schedule_arn = arn(self, "scheduler", f"schedule/default/{names.new_data}")
        self._function, self._role = own_function(
            self,
            context,
            name=names.new_data,
            description="Starts the delivery pipeline once new data has stopped coming",
            role_description="Puts off and makes the start by new data",
            package="stacks.new_data.function",
            timeout=Duration.minutes(1),
            environment={
                Variable.SCHEDULE_NAME: self.schedule_name,
                Variable.START_INPUT: _START_INPUT,
                Variable.QUIET_SECONDS: str(quiet_seconds),
                Variable.TRAINING_PIPELINE_NAME: training.pipeline_name,
                Variable.DELIVERY_PIPELINE_NAME: pipeline.name,
            },
        )
        self._schedule_start()
        training.grant_list_executions(self._role)
        allow(self._role, "StartDelivery", ["codepipeline:StartPipelineExecution"], [pipeline.arn])
        self.rule = events.Rule(
            self,
            "Rule",
            description=f"New data for {names.model} of {names.factory}",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [storage.data_bucket.bucket_name]},
                    "object": {"key": [{"prefix": of_model(Prefix.RAW_DATA, names.model)}]},
                },
            ),
            targets=[targets.LambdaFunction(self._function)],
        )

    def _schedule_start(self) -> None:
        role = service_role(
            self, "ScheduleRole", _SCHEDULER, "Tells the function that the quiet period is over"
        )
        allow(role, "TellFunction", ["lambda:InvokeFunction"], [self._function.function_arn])
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=self.schedule_name,
            description="Moved and enabled by each new object; CloudFormation's time is never reached",
            schedule_expression=_NEVER,
            state="DISABLED",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self._function.function_arn, role_arn=role.role_arn, input=_START_INPUT
            ),
        ).node.add_dependency(role)
        actions = ["scheduler:GetSchedule", "scheduler:UpdateSchedule"]
        allow(self._role, "PutOffStart", actions, [self.schedule_arn])
        grant_pass_role(self._role, role, _SCHEDULER)
