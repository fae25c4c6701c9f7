"""The reason of a build and the data it trains on, by CodePipeline's record of the delivery.

CodePipeline pastes an execution's variables into the JSON of a build's environment: a quote in a variable would add
variables to the build. So the build gets the execution's id, which nobody can choose, and asks for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_code.contracts import DeliveryVariable, Prefix, Variable

if TYPE_CHECKING:
    from types_boto3_codepipeline import CodePipelineClient


@dataclass(frozen=True, kw_only=True)
class Trigger:
    reason: str = "manual"
    data_prefix: str = Prefix.RAW_DATA


def read_trigger(environment: Mapping[str, str], codepipeline: "CodePipelineClient") -> Trigger:
    """The default outside of a delivery."""
    execution = environment.get(Variable.DELIVERY_EXECUTION)
    if not execution:
        return Trigger()
    pipeline = environment["CODEBUILD_INITIATOR"].partition("/")[2]
    found = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)[
        "pipelineExecution"
    ]
    if found["trigger"]["triggerType"] == "CreatePipeline":  # a deployment, which leaves the defaults
        return Trigger(reason="deployment")
    variables = {variable["name"]: variable["resolvedValue"] for variable in found["variables"]}
    return Trigger(
        reason=variables[DeliveryVariable.TRIGGER_REASON],
        data_prefix=variables[DeliveryVariable.DATA_PREFIX],
    )
