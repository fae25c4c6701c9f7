"""Looks after live inputs, and starts a retraining when they have drifted.

By schedule it starts the comparison of what was captured since the last one, if anything was. When the alarm goes off
it starts the delivery pipeline, with the features that the last reports name as the reason.
"""

import json
import os
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import DRIFT_REASON, REASON_CHARACTERS, DeliveryVariable, Parameter, Tag, Variable

if TYPE_CHECKING:
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker.type_defs import PipelineExecutionSummaryTypeDef

SHOWN_FEATURES = 10
# A file lies under the hour of its first request, and comes when its buffer is full.
_LATE = timedelta(hours=2)


def handler(event: dict[str, Any], context: Any) -> None:
    if event["source"] == "aws.cloudwatch":
        retrain(event["id"])
    else:
        compare(event["id"], datetime.now(UTC))


def compare(token: str, now: datetime) -> None:
    sagemaker = boto3.client("sagemaker")
    config_arn = serving_config(sagemaker)
    if config_arn is None:
        return
    newest = newest_execution(sagemaker)
    if newest and newest["PipelineExecutionStatus"] in ("Executing", "Stopping"):
        print("still comparing:", newest["PipelineExecutionArn"])
        return
    # S3 tells whole seconds: of the present one there may be more to come.
    end = now.replace(microsecond=0) - timedelta(seconds=1)
    start = end_of(sagemaker, newest) if newest else end - window()
    if not has_captures(start, end):
        print("nothing captured since", start)
        return
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=config_arn)["Tags"]}
    parameters = {
        Parameter.CODE_URI: tags[Tag.CODE_URI],
        Parameter.MODEL_VERSION: tags[Tag.MODEL_VERSION],
        Parameter.RUN_ID: tags[Tag.RUN_ID],
        Parameter.WINDOW_START: start.isoformat(),
        Parameter.WINDOW_END: end.isoformat(),
    }
    started = sagemaker.start_pipeline_execution(
        PipelineName=os.environ[Variable.MONITOR_PIPELINE_NAME],
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        ClientRequestToken=token,  # an event comes at least once
    )
    print("comparing", start, "to", end, "by", started["PipelineExecutionArn"])


def window() -> timedelta:
    return timedelta(minutes=int(os.environ[Variable.WINDOW_MINUTES]))


def serving_config(sagemaker: "SageMakerClient") -> str | None:
    """The ARN of the configuration in use: unlike an endpoint's, its tags stay those of one version."""
    name = os.environ[Variable.ENDPOINT_NAME]
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" not in error.response["Error"]["Message"]:
            raise
        print("there is no endpoint", name)
        return None
    account = endpoint["EndpointArn"].rpartition(":")[0]
    return f"{account}:endpoint-config/{endpoint['EndpointConfigName']}"


def newest_execution(sagemaker: "SageMakerClient") -> "PipelineExecutionSummaryTypeDef | None":
    found = sagemaker.list_pipeline_executions(
        PipelineName=os.environ[Variable.MONITOR_PIPELINE_NAME],
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["PipelineExecutionSummaries"]
    return found[0] if found else None


def end_of(sagemaker: "SageMakerClient", execution: "PipelineExecutionSummaryTypeDef") -> datetime:
    """The begin of the next window: none is left out when a schedule fires late or an execution fails."""
    arn = execution["PipelineExecutionArn"]
    found = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    return datetime.fromisoformat({each["Name"]: each["Value"] for each in found}[Parameter.WINDOW_END])


def has_captures(start: datetime, end: datetime) -> bool:
    """Whether a file came after `start`, and at `end` at the latest."""
    bucket, prefix = os.environ[Variable.ARTIFACT_BUCKET], os.environ[Variable.CAPTURED_PREFIX]
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    return any(
        start < item["LastModified"] <= end
        for page in pages.paginate(
            Bucket=bucket, Prefix=prefix, StartAfter=f"{prefix}{start - _LATE:%Y/%m/%d/%H}"
        )
        for item in page.get("Contents", ())
    )


def retrain(token: str) -> None:
    codepipeline = boto3.client("codepipeline")
    running = running_by_drift(codepipeline)
    if running:
        print("retraining already:", running)
        return
    started = codepipeline.start_pipeline_execution(
        name=os.environ[Variable.DELIVERY_PIPELINE_NAME],
        variables=[{"name": DeliveryVariable.TRIGGER_REASON, "value": reason(drifted(datetime.now(UTC)))}],
        clientRequestToken=token,  # an event comes at least once
    )
    print("started", started["pipelineExecutionId"])


def running_by_drift(codepipeline: "CodePipelineClient") -> str | None:
    name = os.environ[Variable.DELIVERY_PIPELINE_NAME]
    for summary in codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]:
        if summary["status"] != "InProgress":
            continue
        found = codepipeline.get_pipeline_execution(
            pipelineName=name, pipelineExecutionId=summary["pipelineExecutionId"]
        )["pipelineExecution"]
        for variable in found.get("variables", ()):
            if variable["name"] == DeliveryVariable.TRIGGER_REASON and variable["resolvedValue"].startswith(
                DRIFT_REASON
            ):
                return str(summary["pipelineExecutionId"])
    return None


def drifted(now: datetime) -> list[str]:
    """The features that the reports of the last windows name, the most often named first."""
    bucket, prefix = os.environ[Variable.ARTIFACT_BUCKET], os.environ[Variable.REPORTS_PREFIX]
    s3 = boto3.client("s3")
    windows = int(os.environ[Variable.EVALUATED_WINDOWS])  # that the alarm looks at
    since = now - window() * (windows + 1)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=f"{prefix}{since:%Y-%m-%dT%H:%M:%SZ}"
    )
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    counts: Counter[str] = Counter()
    for key in keys[-windows:]:
        report = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        counts.update(report["drifted"])
    if not counts:
        # Somebody set the alarm by hand, say.
        raise LookupError(f"the alarm went off, and no report since {since} in {prefix} names a feature")
    return [name for name, _ in counts.most_common()]


def reason(features: list[str]) -> str:
    """The reason of a delivery, without characters that JSON would escape: CodePipeline inserts it into JSON unescaped."""
    hidden = len(features) - SHOWN_FEATURES
    text = ", ".join(features[:SHOWN_FEATURES]) + (f" and {hidden} more" if hidden > 0 else "")
    return (DRIFT_REASON + re.sub(r'[\x00-\x1f"\\]', "?", text))[:REASON_CHARACTERS]
