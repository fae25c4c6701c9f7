"""New data starts the delivery pipeline, once it has stopped coming.

Every object that arrives puts the start off to QUIET_SECONDS from now, by moving the time of one schedule.
When that comes, this function starts the pipeline, unless a training has begun since the last arrival.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import DeliveryVariable, Variable


def handler(event: dict[str, Any], context: Any) -> None:
    if event.get("source") == "aws.s3":
        put_off(event)
    else:
        start(event)


def put_off(event: dict[str, Any]) -> None:
    scheduler = boto3.client("scheduler")
    schedule = scheduler.get_schedule(Name=os.environ[Variable.SCHEDULE_NAME])
    target: Any = {
        **schedule["Target"],
        "Input": os.environ[Variable.START_INPUT].replace("ARRIVED", event["time"]),
    }
    time = datetime.now(UTC) + timedelta(seconds=int(os.environ[Variable.QUIET_SECONDS]))
    # Quoted: a key may have any character, the end of a line included.
    print(repr(event["detail"]["object"]["key"]), "puts the start off to", time)
    try:
        scheduler.update_schedule(
            Name=schedule["Name"],
            ScheduleExpression=f"at({time:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow=schedule["FlexibleTimeWindow"],
            State="ENABLED",
            Target=target,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConflictException":
            raise
        print("another object puts it off at this very moment")


def start(event: dict[str, Any]) -> None:
    """`arrived` has no fractions of a second: a training of the same second may have missed the object."""
    newest = boto3.client("sagemaker").list_pipeline_executions(
        PipelineName=os.environ[Variable.TRAINING_PIPELINE_NAME],
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["PipelineExecutionSummaries"]
    arrived = datetime.fromisoformat(event["arrived"])
    if newest and newest[0]["StartTime"] >= arrived + timedelta(seconds=1):
        print("trained since by", newest[0]["PipelineExecutionArn"])
        return
    started = boto3.client("codepipeline").start_pipeline_execution(
        name=os.environ[Variable.DELIVERY_PIPELINE_NAME],
        variables=[{"name": DeliveryVariable.TRIGGER_REASON, "value": "new data"}],
        clientRequestToken=event["token"],  # a schedule fires at least once
    )
    print("started", started["pipelineExecutionId"])
